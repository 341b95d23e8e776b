import Foundation
import Tensors
import Testing

@testable import Transformers

@Suite("Models in small precisions")
struct PrecisionTests {
    private static let small: [Precision] = [.f16, .bf16, .int8]
    private let ids: [Int32] = (0..<40).map { Int32($0 * 7 % 250) }

    private func pass(_ name: String, _ precision: Precision) throws -> ForwardPass {
        ForwardPass(
            try Model(Checkpoint(Fixture.path(name)), precision: precision), on: Engine(threads: 2))
    }

    /// Returns the norm of the error divided by the norm of the expected values.
    static func relativeError(_ got: [Float], _ want: [Float]) -> Float {
        let error = zip(got, want).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        return (error / want.reduce(0) { $0 + $1 * $1 }).squareRoot()
    }

    /// The relative error that the tests allow: f16 has 11 bits of mantissa, bf16 has 8, and int8 has
    /// 255 steps for a row.
    static func allowed(_ precision: Precision) -> Float {
        precision == .int8 ? 0.05 : precision == .bf16 ? 0.01 : 0.003
    }

    @Test(
        "logits and hidden states are close to f32, but not equal", arguments: small,
        ["tiny-llama", "tiny-llama.gguf", "tiny-bert"])
    func nearness(precision: Precision, name: String) throws {
        func output(_ precision: Precision) throws -> [Float] {
            var pass = try pass(name, precision)
            return pass.model.shape.architecture == .bert
                ? pass.hiddenStates(of: TokenBatch([ids])).matrix.elements
                : pass.allLogits(of: TokenBatch([ids])).elements
        }
        let error = Self.relativeError(try output(precision), try output(.f32))
        #expect(error > 0 && error < Self.allowed(precision), "\(error)")
    }

    @Test("decoding with a cache is close to the full sequence", arguments: small)
    func cache(precision: Precision) throws {
        var pass = try pass("tiny-llama", precision)
        let want = pass.allLogits(of: TokenBatch([ids]))
        var cache = KeyValueCache(shape: pass.model.shape, capacity: ids.count)
        var logits = Activations()
        for (index, id) in ids.enumerated() {
            pass.advance([id], cache: &cache, logits: &logits)
            let error = Self.relativeError(Array(logits.row(0)), Array(want.row(index)))
            #expect(error < Self.allowed(precision), "token \(index): \(error)")
        }
    }

    @Test("changed and resized models keep the precision", arguments: small)
    func changes(precision: Precision) throws {
        let checkpoint = try Checkpoint(Fixture.path("tiny-llama"))
        let model = try Model(checkpoint, precision: precision)
        let same = model.replacing(
            layer: 1, with: try checkpoint.layer(1), sizes: checkpoint.shape.layers[1])
        #expect(same.formats.uniform == precision)
        func logits(_ model: Model) -> Matrix<Float> {
            var pass = ForwardPass(model, on: Engine(threads: 1))
            return pass.allLogits(of: TokenBatch([ids]))
        }
        #expect(logits(same) == logits(model))

        var shape = model.shape
        for index in shape.layers.indices { shape.layers[index].feedForward /= 2 }
        let resized = model.resized(to: shape)
        #expect(resized.formats.uniform == precision)
        let fresh = try Model(RandomWeights(shape: shape), precision: precision)
        #expect(resized.streamedBytes == fresh.streamedBytes)
        #expect(logits(resized).elements.allSatisfy { $0.isFinite })
        let floats = try Model(checkpoint).streamedBytes
        #expect(model.streamedBytes < floats * (precision.bits + 4) / 32)
    }
}
