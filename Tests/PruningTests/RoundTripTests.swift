import Foundation
import ModelFiles
import Tensors
import TestSupport
import Testing
import Transformers

@testable import Pruning

/// A model that keeps the first units of each component, with a padded vocabulary.
private struct CutModel: WeightSource {
    let dense: Checkpoint
    let plan: Plan
    var vocabulary: Int?

    var shape: ModelShape {
        var shape = dense.shape.applying(plan)
        shape.vocabularySize = vocabulary ?? shape.vocabularySize
        return shape
    }

    func embeddings() throws -> EmbeddingWeights {
        var embeddings = try dense.embeddings()
        embeddings.tokens = widened(embeddings.tokens)
        return embeddings
    }

    func head() throws -> HeadWeights {
        var head = try dense.head()
        head.output = head.output.map(widened)
        return head
    }

    private func widened(_ table: Matrix<Float>) -> Matrix<Float> {
        let rows = vocabulary ?? table.rows
        return Matrix(
            rows: rows, columns: table.columns,
            elements: (0..<rows).flatMap { table.row($0 % table.rows) })
    }

    func layer(_ index: Int) throws -> LayerWeights {
        var layer = try dense.layer(index)
        let isPostNorm = shape.architecture.layer.normPlace.normalisesSum
        let sizes = shape.layers[index]
        if let block = layer.attention {
            let (queries, keys) = (
                Array(0..<sizes.queryHeads * shape.headDimension),
                Array(0..<sizes.keyValueHeads * shape.headDimension)
            )
            var cut = block
            cut.query = block.query.selecting(rows: queries)
            cut.key = block.key.selecting(rows: keys)
            cut.value = block.value.selecting(rows: keys)
            cut.output = block.output.selecting(columns: queries)
            layer.attention = queries.isEmpty ? nil : cut
            if queries.isEmpty, !isPostNorm { layer.attentionNorm = nil }
            if queries.isEmpty { layer.attentionOutputNorm = nil }
        }
        if let block = layer.feedForward {
            let units = Array(0..<sizes.feedForward)
            layer.feedForward =
                units.isEmpty
                ? nil
                : FeedForwardWeights(
                    gate: block.gate?.selecting(rows: units), up: block.up.selecting(rows: units),
                    down: block.down.selecting(columns: units))
            if units.isEmpty, !isPostNorm { layer.feedForwardNorm = nil }
            if units.isEmpty { layer.feedForwardOutputNorm = nil }
        }
        return layer
    }
}

extension Projection {
    fileprivate func selecting(columns: [Int]) -> Projection {
        Projection(weight: weight.selecting(columns: columns), bias: bias)
    }
}

@Suite("Round trips through every format")
struct RoundTripTests {
    private static let names = [
        "tiny-llama", "tiny-llama3", "tiny-mistral", "tiny-qwen2", "tiny-qwen3", "tiny-gpt2",
        "tiny-opt", "tiny-stablelm", "tiny-granite", "tiny-phi3", "tiny-smollm3",
        "tiny-gemma3_text", "tiny-gemma2", "tiny-bloom", "tiny-bert", "tiny-roberta",
        "tiny-distilbert", "tiny-mpnet",
        "tiny-llama.gguf",
    ]

    /// Returns a plan with equal layers, and a plan with different layers and removed branches.
    private func plans(of shape: ModelShape) -> [Plan] {
        var (even, uneven) = (Plan(keepingAllOf: shape), Plan(keepingAllOf: shape))
        for layer in shape.layers.indices {
            even.attention[layer] = max(1, even.attention[layer] / 2)
            even.feedForward[layer] = 32
        }
        uneven.attention[0] = 1
        uneven.feedForward[0] = 32
        uneven.attention[1] = 0
        if shape.layers.count > 2 { uneven.feedForward[2] = 0 }
        return [even, uneven]
    }

    private func expectSame(_ path: String, _ weights: some WeightSource) throws {
        let read = try Checkpoint(path)
        var shape = weights.shape
        if path.hasSuffix(".gguf") {
            // llama.cpp does not compute windows, so sequences must not be longer than the window.
            shape.maximumPositions =
                shape.layers.compactMap(\.window).min() ?? shape.maximumPositions
            for layer in shape.layers.indices { shape.layers[layer].window = nil }
        }
        #expect(read.shape == shape)
        #expect(try read.embeddings() == weights.embeddings())
        #expect(try read.head() == weights.head())
        for layer in weights.shape.layers.indices {
            #expect(try read.layer(layer) == weights.layer(layer))
        }
    }

    @Test(
        "a written directory has the written model, and writing it again changes nothing",
        arguments: names)
    func directories(name: String) throws {
        let (dense, scratch) = (try Checkpoint(TinyModel.path(name)), try Scratch())
        for plan in plans(of: dense.shape) {
            let weights = CutModel(dense: dense, plan: plan)
            // The weights of the fixtures are f16 numbers, so f16 loses nothing.
            for type in [DType.f32, .f16] {
                let path = scratch.path("\(type)")
                try HuggingFaceDirectory.write(
                    weights, like: dense, to: path, type: type, writesONNX: type == .f32)
                try expectSame(path, weights)
            }
            for type in [DType.f16, .bf16] {
                let (once, twice) = (scratch.path("once"), scratch.path("twice"))
                try HuggingFaceDirectory.write(
                    weights, like: dense, to: once, type: type, writesONNX: false)
                let read = try Checkpoint(once)
                try HuggingFaceDirectory.write(
                    read, like: read, to: twice, type: type, writesONNX: false)
                for file in try scratch.names("once") {
                    #expect(
                        try InputFile(path: "\(once)/\(file)").bytes
                            == InputFile(path: "\(twice)/\(file)").bytes, "\(file)")
                }
            }
        }
    }

    @Test(
        "a directory with formats has the rounded weights, and damaged formats give an error",
        arguments: names.filter { !$0.hasSuffix(".gguf") })
    func formats(name: String) throws {
        let (dense, scratch) = (try Checkpoint(TinyModel.path(name)), try Scratch())
        for plan in plans(of: dense.shape) {
            var plan = plan
            plan[Component(layer: 0, kind: .attention)].format = .int8
            plan[Component(layer: 0, kind: .feedForward)].format = .f16
            plan[Component(layer: 1, kind: .feedForward)].format =
                dense.shape.hiddenSize % 32 == 0 && plan.feedForward[1] % 32 == 0 ? .int4 : .int8
            if dense.shape.architecture.isCausal { plan.headFormat = .int8 }
            let formats = Formats(of: plan, otherwise: .f32)
            let weights = FormattedWeights(CutModel(dense: dense, plan: plan), formats: formats)
            let path = scratch.path("formats")
            try HuggingFaceDirectory.write(
                weights, like: dense, to: path, formats: formats)
            try expectSame(path, weights)
            // transformers reads this file, and would take integers for weights.
            #expect(!FileManager.default.fileExists(atPath: path + "/model.safetensors"))
            let read = try Checkpoint(path)
            #expect(read.formats == formats)
            let again = scratch.path("again")
            try HuggingFaceDirectory.write(read, like: read, to: again, formats: formats)
            #expect(try scratch.names("again") == scratch.names("formats"))
            for file in try scratch.names("again") {
                #expect(
                    try InputFile(path: "\(path)/\(file)").bytes
                        == InputFile(path: "\(again)/\(file)").bytes, "\(file)")
            }
            #expect(!read.remarks.contains { $0.contains(Formats.member) })
            let exact = try dense.layer(0).attention?.query.weight.row(0) ?? []
            let rounded = try read.layer(0).attention?.query.weight.row(0) ?? []
            let scale = (exact.map(abs).max() ?? 0) / 127
            #expect(zip(exact, rounded).allSatisfy { abs($0 - $1) <= 0.501 * scale })
            #expect(exact != rounded)
            let config = try String(contentsOfFile: path + "/config.json", encoding: .utf8)
            for (old, new) in [("\"int8\"", "\"int9\""), ("\"f16\",", "")] {
                try config.replacingOccurrences(of: old, with: new)
                    .write(toFile: path + "/config.json", atomically: true, encoding: .utf8)
                let error = #expect(throws: ModelFileError.self) { try Checkpoint(path) }
                #expect(error?.description.contains("quantization_config.") == true)
            }
        }
    }

    @Test(
        "a written GGUF file has the written model, and writing it again changes nothing",
        arguments: ["tiny-llama", "tiny-mistral", "tiny-qwen2", "tiny-llama.gguf"])
    func gguf(name: String) throws {
        let scratch = try Scratch()
        let dense = try withTokenizer(name, in: scratch)
        for plan in plans(of: dense.shape) {
            let weights = CutModel(dense: dense, plan: plan)
            for storage in GGUFModel.Storage.allCases {
                let (once, twice) = (scratch.path("once.gguf"), scratch.path("twice.gguf"))
                try GGUFModel.write(weights, like: dense, to: once, storage: storage)
                let read = try Checkpoint(once)
                if storage == .f32 || storage == .f16, !needsStandIns(plan) {
                    try expectSame(once, weights)
                    // The GGUF file is then written as a directory.
                    let path = scratch.path("directory")
                    try HuggingFaceDirectory.write(read, like: read, to: path, writesONNX: false)
                    try expectSame(path, read)
                }
                try GGUFModel.write(read, like: read, to: twice, storage: storage)
                #expect(try InputFile(path: once).bytes == InputFile(path: twice).bytes)
            }
        }
    }

    private func needsStandIns(_ plan: Plan) -> Bool {
        plan.attention[0] == 0 || plan.feedForward.contains(0)
    }

    /// Returns a model of the fixtures.
    ///
    /// Models without a tokenizer get the tokenizer and vocabulary of tiny-llama.
    private func withTokenizer(_ name: String, in scratch: Scratch) throws -> Checkpoint {
        let dense = try Checkpoint(TinyModel.path(name))
        guard ["tiny-mistral", "tiny-qwen2"].contains(name) else { return dense }
        let path = scratch.path(name)
        try HuggingFaceDirectory.write(
            CutModel(dense: dense, plan: Plan(keepingAllOf: dense.shape), vocabulary: 512),
            like: dense, to: path, writesONNX: false)
        try FileManager.default.copyItem(
            atPath: TinyModel.path("tiny-llama/tokenizer.json"), toPath: path + "/tokenizer.json")
        let config = try String(contentsOfFile: path + "/config.json", encoding: .utf8)
        try config.replacingOccurrences(
            of: #""vocab_size":\s*96"#, with: #""vocab_size": 512"#, options: .regularExpression
        ).write(toFile: path + "/config.json", atomically: true, encoding: .utf8)
        return try Checkpoint(path)
    }
}
