import Foundation
import ModelFiles
import Tensors
import TestSupport
import Testing
import Transformers

@testable import Pruning

@Suite("Rounding of the output head")
struct HeadRoundingTests {
    private func rounded(_ tiny: TinyModel, threads: Int = 2) throws -> CodedMatrix {
        try HeadRounding.rounded(
            Self.weight(of: tiny), to: .q40, inputsFrom: tiny.model,
            on: batches(of: tiny.text.calibration, tokens: 512), engine: Engine(threads: threads))
    }

    private static func weight(of tiny: TinyModel) throws -> Matrix<Float> {
        try tiny.checkpoint.head().output ?? tiny.checkpoint.embeddings().tokens
    }

    /// The logits of hidden states, `[tokens, vocabulary]`.
    private func logits(_ model: Model, _ states: Activations, _ tiny: TinyModel) -> [Float] {
        var logits: [Float] = []
        ForwardPass(model, on: tiny.engine).logits(from: states) { logits += $1.matrix.elements }
        return logits
    }

    @Test("the logits are closer to the dense model's than with rounding to nearest")
    func error() throws {
        let tiny = try TinyModel("tiny-llama", tokens: 4096)
        let weight = try Self.weight(of: tiny)
        var pass = ForwardPass(tiny.model, on: tiny.engine)
        let states = pass.hiddenStates(of: TokenBatch(tiny.text.calibration))
        let dense = logits(tiny.model, states, tiny)
        func error(_ matrix: Matrix<Float>) -> Double {
            zip(logits(tiny.model.replacingHead(by: matrix, in: .f32), states, tiny), dense)
                .reduce(0) { $0 + pow(Double($1.0 - $1.1), 2) }
        }
        let nearest = CodedMatrix(nearest: weight, grid: .q40).values
        let ours = try rounded(tiny).values
        #expect(error(ours) < 0.8 * error(nearest))
        #expect(error(ours) > 0)
    }

    @Test("a head of its own is replaced, and the token embedding stays")
    func ownHead() throws {
        var shape = try TinyModel("tiny-llama").shape
        shape.tiedHead = false
        let weights = RandomWeights(shape: shape)
        let codes = CodedMatrix(nearest: weights.headWeight, grid: .q40)
        let rounded = WithRoundedHead(weights, codes)
        #expect(try rounded.head().output == codes.values)
        #expect(try rounded.embeddings() == weights.embeddings())
        #expect(try rounded.layer(1) == weights.layer(1))
    }

    @Test("the result does not depend on the number of threads")
    func threads() throws {
        let tiny = try TinyModel("tiny-llama")
        #expect(try rounded(tiny, threads: 1) == rounded(tiny, threads: 3))
    }

    @Test("a written model has the codes of the head and the same outputs")
    func written() throws {
        let tiny = try TinyModel("tiny-llama")
        let scratch = try Scratch()
        let surgery = try tiny.surgery(in: scratch)
        let head = try rounded(tiny)
        surgery.roundedHeads = [.int4: head]
        var plan = Plan(keepingAllOf: tiny.shape)
        plan.headFormat = .int4
        let weights = ShrunkWeights(
            plan, losses: try surgery.losses(order: .optimalBrainSurgeon), surgery: surgery,
            order: .optimalBrainSurgeon)
        let formats = Formats(of: plan, otherwise: .f32)
        let source = FormattedWeights(weights, formats: formats)
        let path = scratch.path("written")
        try HuggingFaceDirectory.write(
            source, like: tiny.checkpoint, channels: nil, to: path, formats: formats)
        let read = try Checkpoint(path)
        #expect(read.formats == formats)
        let values = try read.head().output ?? read.embeddings().tokens
        #expect(values == head.values)
        #expect(values != (try Self.weight(of: tiny)))
        let batch = TokenBatch(Array(tiny.text.heldOut.prefix(2)))
        var (before, after) = (
            ForwardPass(try Model(source, formats: formats), on: tiny.engine),
            ForwardPass(try Model(read, formats: formats), on: tiny.engine)
        )
        let states = before.hiddenStates(of: batch)
        #expect(states.matrix == after.hiddenStates(of: batch).matrix)
        #expect(logits(before.model, states, tiny) == logits(after.model, states, tiny))

        let gguf = scratch.path("model.gguf")
        try GGUFModel.write(source, like: tiny.checkpoint, to: gguf, formats: formats)
        let file = try GGUFFile(path: gguf)
        let tensor = tiny.shape.tiedHead ? "token_embd.weight" : "output.weight"
        #expect(file.type(of: tensor) == .q40)
        #expect(try file.matrix(tensor) == head.values)
    }

    @Test("an encoder's token embedding in 8 bits is written and read without a change")
    func table() throws {
        let (tiny, scratch) = (try TinyModel("tiny-bert"), try Scratch())
        var formats = Formats(uniform: .f32, layers: tiny.shape.layers.count)
        formats.head = .int8
        let source = FormattedWeights(tiny.checkpoint, formats: formats)
        let path = scratch.path("written")
        try HuggingFaceDirectory.write(source, like: tiny.checkpoint, to: path, formats: formats)
        let read = try Checkpoint(path)
        #expect(read.formats == formats)
        let name = Family(of: tiny.shape.architecture).tensorNames.tokens + ".weight"
        #expect(try SafetensorsFile(path: path).type(of: name) == .i8)
        let (before, after) = (
            try Model(source, formats: formats), try Model(read, formats: formats)
        )
        #expect(tiny.output(of: before) == tiny.output(of: after))
        #expect(tiny.output(of: before) != tiny.output(of: tiny.model))
        let table = tiny.shape.vocabularySize * tiny.shape.hiddenSize
        #expect(
            after.weightBytes == tiny.model.weightBytes - 3 * table + 4 * tiny.shape.vocabularySize)
    }

    @Test("a weight beyond the grid is an error")
    func outside() throws {
        let tiny = try TinyModel("tiny-llama")
        var weight = try Self.weight(of: tiny)
        weight.elements[5] = 1e9
        #expect(throws: NonFiniteError.self) {
            try HeadRounding.rounded(
                weight, to: .q40, inputsFrom: tiny.model,
                on: batches(of: tiny.text.calibration, tokens: 512), engine: tiny.engine)
        }
    }
}
