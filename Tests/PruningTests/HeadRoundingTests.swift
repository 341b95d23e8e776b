import ModelFiles
import Tensors
import TestSupport
import Testing
import Transformers

@testable import Pruning

@Suite("Rounding of the output head")
struct HeadRoundingTests {
    /// The head is the token embedding, and a matrix of its own.
    private static let names = ["tiny-llama", "tiny-stablelm"]

    private func rounded(_ tiny: TinyModel, threads: Int = 2) throws -> CodedMatrix {
        try HeadRounding.rounded(
            Self.weight(of: tiny), to: .q40, inputsFrom: tiny.model,
            on: batches(of: tiny.text.calibration, tokens: 512), engine: Engine(threads: threads))
    }

    private static func weight(of tiny: TinyModel) throws -> Matrix<Float> {
        try tiny.checkpoint.head().output ?? tiny.checkpoint.embeddings().tokens
    }

    @Test("the predictions are closer to the dense model's than with rounding to nearest")
    func divergence() throws {
        let tiny = try TinyModel("tiny-llama", tokens: 4096)
        let weight = try Self.weight(of: tiny)
        let divergence = ModelDivergence(
            from: tiny.model, on: TokenBatch(tiny.text.calibration), engine: tiny.engine)
        func divergence(_ matrix: Matrix<Float>) -> Double {
            divergence.of(tiny.model.replacingHead(by: matrix, in: .f32))
        }
        let nearest = CodedMatrix(nearest: weight, grid: .q40).values
        let ours = try rounded(tiny).values
        #expect(divergence(ours) < divergence(nearest))
        #expect(divergence(ours) > 0)
    }

    @Test("the result does not depend on the number of threads")
    func threads() throws {
        let tiny = try TinyModel("tiny-llama")
        #expect(try rounded(tiny, threads: 1) == rounded(tiny, threads: 3))
    }

    @Test("a written model has the codes of the head and the same outputs", arguments: names)
    func written(name: String) throws {
        let tiny = try TinyModel(name)
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
        before.logits(from: states) { _, expected in
            after.logits(from: states) { _, found in #expect(found.matrix == expected.matrix) }
        }

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
