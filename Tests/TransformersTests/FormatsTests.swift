import Foundation
import Tensors
import Testing

@testable import Transformers

@Suite("Models of mixed formats")
struct FormatsTests {
    private static let names = ["tiny-llama", "tiny-bert"]
    private let engine = Engine(threads: 2)
    private let ids: [Int32] = (0..<40).map { Int32($0 * 7 % 250) }

    /// Returns the logits of a decoder or the hidden states of an encoder.
    private func output(of model: Model) -> [Float] {
        var pass = ForwardPass(model, on: engine)
        return model.shape.architecture.isEncoder
            ? pass.hiddenStates(of: TokenBatch([ids])).matrix.elements
            : pass.allLogits(of: TokenBatch([ids])).elements
    }

    /// Returns the same output, with each component computed by a model whose format is uniform.
    private func composed(_ formats: Formats, of checkpoint: Checkpoint) throws -> [Float] {
        var passes: [Precision: ForwardPass] = [:]
        for format in Precision.allCases {
            passes[format] = ForwardPass(try Model(checkpoint, precision: format), on: engine)
        }
        let batch = TokenBatch([ids])
        var last = try #require(passes[formats.head])
        var stream = last.embedded(batch)
        for component in checkpoint.shape.components {
            var pass = try #require(passes[formats[component]])
            let inputs = pass.inputs(of: component, in: batch, entering: stream)
            stream = pass.stream(
                after: component, entering: stream,
                adding: inputs.flatMap { pass.output(of: component, from: $0) })
        }
        let states = last.hiddenStates(
            of: batch, from: checkpoint.shape.layers.count, entering: stream)
        guard !checkpoint.shape.architecture.isEncoder else { return states.matrix.elements }
        var logits: [Float] = []
        last.logits(from: states) { logits += $1.matrix.elements }
        return logits
    }

    @Test(
        "a model of uniform formats equals a model of that precision", arguments: names,
        Precision.allCases)
    func uniform(name: String, format: Precision) throws {
        let checkpoint = try Checkpoint(Fixture.path(name))
        let formats = Formats(uniform: format, layers: checkpoint.shape.layers.count)
        let model = try Model(checkpoint, formats: formats)
        #expect(model.formats.uniform == format)
        #expect(output(of: model) == output(of: try Model(checkpoint, precision: format)))
    }

    @Test(
        "each component is computed in its format",
        arguments: names, [[.f32, .int8], [.int8, .f32], Precision.allCases])
    func components(name: String, mixed: [Precision]) throws {
        let checkpoint = try Checkpoint(Fixture.path(name))
        var formats = Formats(uniform: mixed[0], layers: checkpoint.shape.layers.count)
        for index in formats.layers.indices {
            formats.layers[index] = Formats.Layer(
                attention: mixed[index % mixed.count],
                feedForward: mixed[(index / mixed.count + index + 1) % mixed.count])
        }
        #expect(formats.uniform == nil)
        let model = try Model(checkpoint, formats: formats)
        #expect(output(of: model) == (try composed(formats, of: checkpoint)))
        for format in mixed {
            #expect(output(of: model) != output(of: try Model(checkpoint, precision: format)))
        }
        // Changed models keep the formats of the layers.
        let same = model.replacing(
            layer: 1, with: try checkpoint.layer(1), sizes: checkpoint.shape.layers[1])
        #expect(output(of: same) == output(of: model))
        let kept = model.keeping(layers: [1, 2])
        #expect(kept.formats.layers == Array(formats.layers[1...2]))
        #expect(kept.formats.head == formats.head)
    }

    @Test(
        "decoding is close to the full sequence, and every output is close to f32",
        arguments: Precision.allCases, Precision.allCases)
    func pairs(attention: Precision, feedForward: Precision) throws {
        let allowed = max(PrecisionTests.allowed(attention), PrecisionTests.allowed(feedForward))
        for name in Self.names {
            let checkpoint = try Checkpoint(Fixture.path(name))
            var formats = Formats(uniform: attention, layers: checkpoint.shape.layers.count)
            for index in formats.layers.indices { formats.layers[index].feedForward = feedForward }
            let model = try Model(checkpoint, formats: formats)
            let want = output(of: model)
            let error = PrecisionTests.relativeError(want, output(of: try Model(checkpoint)))
            #expect(error < allowed, "\(name): \(error)")
            guard !model.shape.architecture.isEncoder else { continue }
            var pass = ForwardPass(model, on: engine)
            var cache = KeyValueCache(for: model, capacity: ids.count)
            var logits = Activations()
            for (index, id) in ids.enumerated() {
                pass.advance([id], cache: &cache, logits: &logits)
                let row = index * logits.columns..<(index + 1) * logits.columns
                let error = PrecisionTests.relativeError(Array(logits.row(0)), Array(want[row]))
                #expect(error < allowed, "token \(index): \(error)")
            }
        }
    }

    @Test("a weight gives an error only if its own format cannot represent it")
    func range() throws {
        let copy = try ModelCopy("tiny-llama") {
            $0.add("model.layers.1.mlp.down_proj.weight", [64, 96], value: 5000)
        }
        let checkpoint = try Checkpoint(copy.path)
        var formats = Formats(uniform: .f16, layers: checkpoint.shape.layers.count)
        #expect(throws: NonFiniteError.self) { try Model(checkpoint, formats: formats) }
        formats.layers[1].feedForward = .bf16
        _ = try Model(checkpoint, formats: formats)
    }

    @Test("formats are coded by name")
    func coding() throws {
        var formats = Formats(uniform: .f32, layers: 1)
        formats.layers[0].feedForward = .int8
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let json = #"{"head":"f32","layers":[{"attention":"f32","feedForward":"int8"}]}"#
        #expect(String(decoding: try encoder.encode(formats), as: UTF8.self) == json)
        #expect(try JSONDecoder().decode(Formats.self, from: Data(json.utf8)) == formats)
    }
}
