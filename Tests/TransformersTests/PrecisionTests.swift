import Foundation
import Tensors
import Testing

@testable import Transformers

@Suite("Models in small precisions")
struct PrecisionTests {
    private static let small: [Precision] = [.f16, .bf16, .int8, .int4]
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

    /// The relative error that the tests allow: f16 has 11 bits of mantissa, bf16 has 8, int8 has 255
    /// steps for a row, and int4 has 15 steps for a group.
    static func allowed(_ precision: Precision) -> Float {
        switch precision {
        case .f32, .bf16x2, .f16: 0.003
        case .bf16: 0.01
        case .int8: 0.05
        case .int4: 0.3
        }
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
        var cache = KeyValueCache(for: pass.model, capacity: ids.count)
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
        #expect(Double(model.streamedBytes) < Double(floats) * (precision.bits + 4) / 32)
    }

    /// A source whose layers have weights that are rounded to 4 bits, as floats.
    private struct Rounded: WeightSource {
        let checkpoint: Checkpoint
        var shape: ModelShape { checkpoint.shape }
        func embeddings() throws -> EmbeddingWeights { try checkpoint.embeddings() }
        func head() throws -> HeadWeights { try checkpoint.head() }
        func layer(_ index: Int) throws -> LayerWeights {
            func round(_ projection: inout Projection) {
                projection.weight = Int4Matrix(rounding: projection.weight).floats
            }
            var layer = try checkpoint.layer(index)
            if var block = layer.attention {
                round(&block.query)
                round(&block.key)
                round(&block.value)
                round(&block.output)
                layer.attention = block
            }
            if var block = layer.feedForward {
                if var gate = block.gate {
                    round(&gate)
                    block.gate = gate
                }
                round(&block.up)
                round(&block.down)
                layer.feedForward = block
            }
            return layer
        }
    }

    @Test(
        "int4 computes with the rounded weights", arguments: ["tiny-llama", "tiny-bert"])
    func rounded(name: String) throws {
        let checkpoint = try Checkpoint(Fixture.path(name))
        func output(_ model: Model) -> [Float] {
            var pass = ForwardPass(model, on: Engine(threads: 2))
            return model.shape.architecture.isEncoder
                ? pass.hiddenStates(of: TokenBatch([ids])).matrix.elements
                : pass.allLogits(of: TokenBatch([ids])).elements
        }
        let model = try Model(checkpoint, precision: .int4)
        #expect(model.formats.head == .int8)
        var formats = Formats(uniform: .f32, layers: checkpoint.shape.layers.count)
        formats.head = .int8
        let want = output(try Model(Rounded(checkpoint: checkpoint), formats: formats))
        // Only activations are rounded, to 8 bits of the range of a group.
        let error = Self.relativeError(output(model), want)
        #expect(error > 0 && error < 0.02, "\(error)")
        #expect(Self.relativeError(output(model), output(try Model(checkpoint))) > 2 * error)
    }

    @Test(
        "int4 names weights that are no numbers or beyond its range",
        arguments: [.nan, 600_000, .infinity] as [Float])
    func range(value: Float) throws {
        var weights = try Rounded(checkpoint: Checkpoint(Fixture.path("tiny-llama"))).layer(0)
        let formats = Formats.Layer(attention: .int4, feedForward: .int4)
        try formats.check(weights, index: 0)
        weights.feedForward?.down.weight.elements[5] = value
        #expect {
            try formats.check(weights, index: 0)
        } throws: { error in
            "\(error)".contains("the down projection of layer 0") && "\(error)".contains("int4")
        }
    }
}
