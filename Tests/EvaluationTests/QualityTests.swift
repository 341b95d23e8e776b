import Foundation
import Tensors
import Testing
import Transformers

@testable import Evaluation

@Suite("Quality of decoders and encoders")
struct QualityTests {
    private struct Expected: Decodable {
        struct Perplexity: Decodable {
            let ids: [Int32]
            let window: Int
            let predictions: Int
            let meanNLL: Double
            let perplexity: Double
        }
        let perplexity: Perplexity
    }

    private static func fixture(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../TransformersTests/Fixtures/\(name)").standardized.path
    }

    private let engine = Engine(threads: 2)

    @Test("perplexity in windows agrees with transformers")
    func perplexity() throws {
        let data = try Data(
            contentsOf: URL(fileURLWithPath: Self.fixture("tiny-llama/expected.json")))
        let expected = try JSONDecoder().decode(Expected.self, from: data).perplexity
        let model = try Model(Checkpoint(Self.fixture("tiny-llama")))
        let quality = try DecoderQuality(
            of: model, against: .model(model),
            on: windows(of: expected.ids, length: expected.window), engine: engine)
        #expect(quality.predictions == expected.predictions)
        #expect(abs(quality.meanNLL - expected.meanNLL) < 1e-5)
        #expect(abs(quality.perplexity - expected.perplexity) < 1e-4)
        #expect(abs(quality.kl ?? 1) < 1e-6)
        #expect(quality.top1 == 1)
    }

    @Test("divergence and agreement with another model equal their definitions")
    func divergence() throws {
        let dense = try Model(Checkpoint(Self.fixture("tiny-llama")))
        var shape = dense.shape
        shape.layers[1].feedForward = 0
        let changed = dense.resized(to: shape)
        let window: [Int32] = (0..<40).map { $0 * 11 % 500 }
        let quality = try DecoderQuality(
            of: changed, against: .model(dense), on: [window], engine: engine)
        let states = try DecoderQuality.Reference.states(of: dense, on: [window], engine: engine)
        let again = try DecoderQuality(
            of: changed, against: states, on: [window], engine: engine)
        #expect(again == quality)
        func logits(_ model: Model) -> [[Double]] {
            var pass = ForwardPass(model, on: engine)
            var rows: [[Double]] = []
            pass.logits(of: TokenBatch([window])) { range, logits in
                for row in 0..<range.count { rows.append(logits.row(row).map(Double.init)) }
            }
            return rows
        }
        func softmax(_ row: [Double]) -> [Double] {
            let total = row.reduce(0) { $0 + exp($1) }
            return row.map { exp($0) / total }
        }
        var (divergence, agreements) = (0.0, 0)
        for (p, q) in zip(logits(dense).dropLast(), logits(changed)) {
            let (left, right) = (softmax(p), softmax(q))
            divergence += zip(left, right).reduce(0) { $0 + $1.0 * log($1.0 / $1.1) }
            if left.firstIndex(of: left.max()!) == right.firstIndex(of: right.max()!) {
                agreements += 1
            }
        }
        #expect(abs((quality.kl ?? 0) - divergence / 39) < 1e-5)
        #expect(quality.agreements == agreements)
    }

    @Test("an encoder has distance 0 from itself and a positive distance from another encoder")
    func encoder() throws {
        let model = try Model(Checkpoint(Self.fixture("tiny-bert")))
        let sentences: [[Int32]] = [[2, 5, 9, 3], [2, 7, 3], [2, 30, 31, 32, 33, 3]]
        let same = try EncoderQuality(of: model, against: model, on: sentences, engine: engine)
        #expect(abs(same.meanCosineDistance) < 1e-9)
        var shape = model.shape
        shape.layers[0].feedForward = 0
        let other = try EncoderQuality(
            of: model.resized(to: shape), against: model, on: sentences, engine: engine)
        #expect(other.meanCosineDistance > 1e-3 && other.meanCosineDistance < 2)
    }
}
