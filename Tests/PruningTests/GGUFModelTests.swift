import Foundation
import ModelFiles
import Tensors
import TestSupport
import Testing
import Transformers

@testable import Pruning

@Suite("GGUFModel")
struct GGUFModelTests {
    private func shrunk(
        _ tiny: TinyModel, _ plan: Plan, in scratch: Scratch
    ) throws -> ShrunkWeights {
        let surgery = try tiny.surgery(in: scratch)
        return ShrunkWeights(
            plan, losses: try surgery.losses(order: .optimalBrainSurgeon), surgery: surgery,
            order: .optimalBrainSurgeon)
    }

    @Test("written models are read with the same bits, with equal or different layers")
    func roundTrip() throws {
        let (tiny, scratch) = (try TinyModel("tiny-llama"), try Scratch())
        var uneven = Plan(keepingAllOf: tiny.shape)
        uneven.attention[1] = 1
        uneven.attention[2] = 0
        uneven.feedForward[3] = 32
        for (plan, architecture) in [
            (Plan(keepingAllOf: tiny.shape), "llama"), (uneven, "deci"),
        ] {
            let weights = try shrunk(tiny, plan, in: scratch)
            let path = scratch.path("model.gguf")
            try GGUFModel.write(weights, like: tiny.checkpoint, to: path, storage: .f32)
            #expect(try GGUFFile(path: path).string("general.architecture") == architecture)
            let read = try Checkpoint(path)
            #expect(read.shape == weights.shape)
            #expect(try read.embeddings() == weights.embeddings())
            #expect(try read.head() == weights.head())
            for layer in weights.shape.layers.indices {
                #expect(try read.layer(layer) == weights.layer(layer))
            }
            let text = "A small story, 12."
            #expect(
                try read.tokenizer().encode(text, addingSpecialTokens: true)
                    == tiny.checkpoint.tokenizer().encode(text, addingSpecialTokens: true))
            // Writing a GGUF model as GGUF changes nothing.
            let again = scratch.path("again.gguf")
            try GGUFModel.write(read, like: read, to: again, storage: .f32)
            #expect(try InputFile(path: again).bytes == InputFile(path: path).bytes)
        }
    }

    @Test(
        "placeholders that llama.cpp needs are written and do not change the results",
        arguments: 0..<4 as Range<UInt64>)
    func standIns(seed: UInt64) throws {
        let (tiny, scratch) = (try TinyModel("tiny-llama"), try Scratch())
        var plan = tiny.randomPlan(seed: seed)
        plan.attention[0] = 0
        plan.feedForward[0] = 8
        (plan.attention[1], plan.feedForward[1]) = (0, 0)
        (plan.attention[2], plan.feedForward[2]) = (1, 0)
        let weights = try shrunk(tiny, plan, in: scratch)
        let path = scratch.path("model.gguf")
        try GGUFModel.write(weights, like: tiny.checkpoint, to: path, storage: .f32)
        let read = try Checkpoint(path)
        #expect(read.shape.layers.count < tiny.shape.layers.count)
        #expect(read.shape.layers.allSatisfy { $0.feedForward > 0 })
        #expect(read.shape.layers[0].queryHeads > 0)
        expectClose(
            tiny.output(of: try Model(read)), tiny.output(of: try Model(weights)), absolute: 1e-4)
    }

    @Test(
        "with small types, vectors are f32, and matrices that do not fit blocks are f16",
        arguments: GGUFModel.Storage.allCases)
    func storage(storage: GGUFModel.Storage) throws {
        let (tiny, scratch) = (try TinyModel("tiny-llama"), try Scratch())
        var plan = Plan(keepingAllOf: tiny.shape)
        plan.feedForward[2] = 20
        let weights = try shrunk(tiny, plan, in: scratch)
        let path = scratch.path("model.gguf")
        var layers = 0
        try GGUFModel.write(weights, like: tiny.checkpoint, to: path, storage: storage) {
            layers = max(layers, $0)
        }
        #expect(layers > 0)
        let file = try GGUFFile(path: path)
        let blocks = storage.matrixType.blockSize > 1
        #expect(file.type(of: "blk.0.attn_norm.weight") == .f32)
        #expect(file.type(of: "blk.0.ffn_up.weight") == storage.matrixType)
        #expect(file.type(of: "blk.2.ffn_down.weight") == (blocks ? .f16 : storage.matrixType))
        #expect(
            file.type(of: "token_embd.weight") == (storage == .q40 ? .q80 : storage.matrixType))
        let (dense, stored) = (try weights.layer(0), try Checkpoint(path).layer(0))
        let (up, found) = (
            try #require(dense.feedForward?.up.weight.elements),
            try #require(stored.feedForward?.up.weight.elements)
        )
        let maximum = up.map(abs).max() ?? 0
        expectClose(found, up, absolute: maximum * (storage == .q40 ? 0.15 : 0.01))
    }

    @Test("a file with unsupported scaling of rotary positions gives an error")
    func scaledPositions() throws {
        let scratch = try Scratch()
        let plain = try GGUFFile(path: TinyModel.path("tiny-llama.gguf"))
        func open(
            _ metadata: [String: GGUFValue] = [:], factor: Float? = nil
        ) throws -> Checkpoint {
            var entries = plain.names.map {
                GGUFWriter.Entry(name: $0, shape: plain.shape(of: $0) ?? [], type: .f32)
            }
            if factor != nil {
                entries.append(
                    GGUFWriter.Entry(name: "rope_freqs.weight", shape: [4], type: .f32))
            }
            let path = scratch.path("model.gguf")
            try GGUFWriter.write(
                entries, metadata: plain.metadata.merging(metadata) { $1 }, to: path
            ) { entry in
                try factor.flatMap { value in
                    entry.name == "rope_freqs.weight" ? [1, 1, 1, value] : nil
                } ?? plain.floats(entry.name)
            }
            return try Checkpoint(path)
        }
        let factor = "llama.rope.scaling.factor"
        _ = try open()
        _ = try open([factor: .number(8), "llama.rope.scaling.type": .string("none")])
        _ = try open([factor: .number(1)], factor: 1)
        func refused(_ open: () throws -> Checkpoint, _ field: String) {
            let error = #expect(throws: ModelFileError.self) { _ = try open() }
            #expect(error?.description.contains(field) == true)
        }
        refused({ try open([factor: .number(8)]) }, factor)
        refused({ try open(["llama.rope.scale_linear": .number(2)]) }, "scale_linear")
        refused({ try open(factor: 8) }, "rope_freqs.weight")
    }

    @Test("the position scaling of Llama 3 is written and read")
    func llama3() throws {
        let scratch = try Scratch()
        let model = scratch.path("tiny")
        try FileManager.default.copyItem(atPath: TinyModel.path("tiny-llama"), toPath: model)
        let url = URL(fileURLWithPath: model + "/config.json")
        var config = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
        config["rope_scaling"] = [
            "rope_type": "llama3", "factor": 32, "low_freq_factor": 1, "high_freq_factor": 4,
            "original_max_position_embeddings": 8192,
        ]
        try JSONSerialization.data(withJSONObject: config).write(to: url)
        let checkpoint = try Checkpoint(model)
        let path = scratch.path("model.gguf")
        try GGUFModel.write(checkpoint, like: checkpoint, to: path, storage: .f32)
        let divisors = try GGUFFile(path: path).floats("rope_freqs.weight")
        #expect(divisors.count == 8 && divisors.first == 1 && divisors.last == 32)
        let read = try Checkpoint(path)
        #expect(read.shape == checkpoint.shape && read.shape.ropeScaling?.factor == 32)
        let tiny = try TinyModel("tiny-llama")
        let output = tiny.output(of: try Model(read))
        #expect(output == tiny.output(of: try Model(checkpoint)))
        #expect(output != tiny.output(of: tiny.model))
        let copy = scratch.path("copy")
        try HuggingFaceDirectory.write(read, like: read, to: copy)
        #expect(try Checkpoint(copy).shape == checkpoint.shape)
    }

    @Test(
        "position scaling from other lengths than Llama 3's is written and read",
        arguments: [64, 1000, 4096])
    func originalPositions(count: Int) throws {
        let scratch = try Scratch()
        let model = try edited(in: scratch) {
            $0["rope_scaling"] = [
                "rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
                "original_max_position_embeddings": count,
            ]
        }
        let checkpoint = try Checkpoint(model)
        let (path, copy) = (scratch.path("model.gguf"), scratch.path("copy"))
        try GGUFModel.write(checkpoint, like: checkpoint, to: path, storage: .f32)
        let read = try Checkpoint(path)
        #expect(read.shape == checkpoint.shape)
        try HuggingFaceDirectory.write(read, like: read, to: copy)
        #expect(try Checkpoint(copy).shape == checkpoint.shape)
    }

    @Test("special tokens that only the model's files name are written")
    func specialTokens() throws {
        let scratch = try Scratch()
        let model = try edited(in: scratch) {
            ($0["bos_token_id"], $0["eos_token_id"], $0["pad_token_id"]) = (3, [7, 5], 9)
        }
        try #"{"eos_token_id": [11, 5]}"#.write(
            toFile: model + "/generation_config.json", atomically: true, encoding: .utf8)
        let checkpoint = try Checkpoint(model)
        let path = scratch.path("model.gguf")
        try GGUFModel.write(checkpoint, like: checkpoint, to: path, storage: .f32)
        let file = try GGUFFile(path: path)
        let tokens = ["bos": 3, "eos": 7, "eot": 5, "eom": 11, "padding": 9]
        for (name, id) in tokens {
            #expect(try file.integer("tokenizer.ggml.\(name)_token_id") == id, "\(name)")
        }
        let read = try Checkpoint(path)
        #expect(
            try read.endTokens(with: read.tokenizer())
                == checkpoint.endTokens(with: checkpoint.tokenizer()))
        // Names in the tokenizer have priority.
        let words = try checkpoint.tokenizer()
        let (begin, end) = (words.decode([20]), words.decode([21]))
        try JSONSerialization.data(withJSONObject: ["bos_token": begin, "eos_token": end])
            .write(to: URL(fileURLWithPath: model + "/tokenizer_config.json"))
        try GGUFModel.write(checkpoint, like: checkpoint, to: path, storage: .f32)
        let named = try GGUFFile(path: path)
        let known = try checkpoint.tokenizer()
        #expect(known.endOfText != nil)
        #expect(
            try named.integer("tokenizer.ggml.eos_token_id") == known.endOfText.map { Int($0) })
        #expect(try named.integer("tokenizer.ggml.eot_token_id") == 7)
    }

    @Test(
        "a Llama model with biases is written with them, and the directory names the biases",
        arguments: [(true, false), (false, true), (true, true)])
    func biases(attention: Bool, feedForward: Bool) throws {
        let (tiny, scratch) = (try TinyModel("tiny-llama"), try Scratch())
        let biased = BiasedWeights(
            dense: tiny.checkpoint, attention: attention, feedForward: feedForward)
        let (path, copy) = (scratch.path("model.gguf"), scratch.path("copy"))
        try GGUFModel.write(biased, like: tiny.checkpoint, to: path, storage: .f32)
        let read = try Checkpoint(path)
        #expect(read.config.family == .llama)
        try HuggingFaceDirectory.write(read, like: read, to: copy)
        let config = try Checkpoint(copy).config
        #expect(config.family == .llama)
        #expect(config.members["attention_bias"] == .bool(attention))
        #expect(config.members["mlp_bias"] == .bool(feedForward))
        let want = tiny.output(of: try Model(biased))
        #expect(tiny.output(of: try Model(Checkpoint(copy))) == want)
        #expect(tiny.output(of: tiny.model) != want)
        // Classes of transformers have either all biases of a block or no bias.
        let names = try SafetensorsFile(path: copy).names.filter { $0.hasSuffix(".bias") }
        #expect(
            names.count == tiny.shape.layers.count * ((attention ? 4 : 0) + (feedForward ? 3 : 0)))
    }

    private func edited(
        in scratch: Scratch, _ change: (inout [String: Any]) -> Void
    ) throws -> String {
        let model = scratch.path("tiny")
        try FileManager.default.copyItem(atPath: TinyModel.path("tiny-llama"), toPath: model)
        let url = URL(fileURLWithPath: model + "/config.json")
        var config = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
        change(&config)
        try JSONSerialization.data(withJSONObject: config).write(to: url)
        return model
    }

    @Test("a chat template in a separate file is written with the model")
    func chatTemplate() throws {
        let (scratch, out) = (try Scratch(), try Scratch())
        let model = scratch.path("tiny")
        try FileManager.default.copyItem(atPath: TinyModel.path("tiny-llama"), toPath: model)
        let template = "{{ messages[0].content }}"
        try template.write(
            toFile: model + "/chat_template.jinja", atomically: true, encoding: .utf8)
        let checkpoint = try Checkpoint(model)
        try HuggingFaceDirectory.write(checkpoint, like: checkpoint, to: out.path("copy"))
        #expect(
            try InputFile(path: out.path("copy/chat_template.jinja")).bytes
                == Array(template.utf8))
        try GGUFModel.write(
            checkpoint, like: checkpoint, to: out.path("m.gguf"), storage: .f32)
        #expect(
            try GGUFFile(path: out.path("m.gguf")).string("tokenizer.chat_template") == template)
    }

    @Test("with Llama 3's tokenizer, texts begin with its token unless the file disables this")
    func beginning() throws {
        let scratch = try Scratch()
        let plain = try GGUFFile(path: TinyModel.path("tiny-llama.gguf"))
        let key = "tokenizer.ggml.add_bos_token"
        func firstTokens(_ kind: String, adds: Bool?) throws -> [Int32] {
            var metadata = plain.metadata
            metadata["tokenizer.ggml.pre"] = .string(kind)
            metadata[key] = adds.map { .bool($0) }
            let path = scratch.path("model.gguf")
            let entries = plain.names.map {
                GGUFWriter.Entry(name: $0, shape: plain.shape(of: $0) ?? [], type: .f32)
            }
            try GGUFWriter.write(entries, metadata: metadata, to: path) {
                try plain.floats($0.name)
            }
            return try Checkpoint(path).tokenizer().encode("", addingSpecialTokens: true)
        }
        let first = Int32(try plain.integer("tokenizer.ggml.bos_token_id"))
        #expect(try firstTokens("llama-bpe", adds: nil) == [first])
        #expect(try firstTokens("llama-bpe", adds: false) == [])
        #expect(try firstTokens("smollm", adds: nil) == [])
        #expect(try firstTokens("smollm", adds: true) == [first])
    }

    @Test("a model with formats has the type of each component, and its codes unchanged")
    func formats() throws {
        let (tiny, scratch) = (try TinyModel("tiny-llama"), try Scratch())
        var plan = Plan(keepingAllOf: tiny.shape)
        plan[Component(layer: 0, kind: .attention)].format = .int4
        plan[Component(layer: 0, kind: .feedForward)].format = .int8
        plan[Component(layer: 1, kind: .attention)].format = .bf16
        plan[Component(layer: 1, kind: .feedForward)] = Variant(units: 64, format: .int4)
        plan.headFormat = .int8
        let formats = Formats(of: plan, otherwise: .f32)
        let weights = FormattedWeights(try shrunk(tiny, plan, in: scratch), formats: formats)
        let path = scratch.path("model.gguf")
        try GGUFModel.write(weights, like: tiny.checkpoint, to: path, formats: formats)
        let file = try GGUFFile(path: path)
        let types: [String: DType] = [
            "blk.0.attn_q.weight": .q40, "blk.0.attn_output.weight": .q40,
            "blk.0.ffn_gate.weight": .q80, "blk.0.ffn_down.weight": .q80,
            "blk.1.attn_k.weight": .bf16, "blk.1.ffn_up.weight": .q40,
            "blk.2.ffn_up.weight": .f32, "token_embd.weight": .q80, "output_norm.weight": .f32,
        ]
        for (name, type) in types { #expect(file.type(of: name) == type, "\(name)") }
        // The values are those of the formats, bit by bit.
        let read = try Checkpoint(path)
        #expect(try read.embeddings() == weights.embeddings())
        for layer in weights.shape.layers.indices {
            let (got, want) = (try read.layer(layer), try weights.layer(layer))
            for kind in ComponentKind.allCases {
                func values(_ layer: LayerWeights) -> [Matrix<Float>] {
                    (layer[inputsOf: kind] + [layer[outputOf: kind]].compactMap(\.self))
                        .map(\.weight)
                }
                let isRounded = formats[Component(layer: layer, kind: kind)] == .bf16
                guard !isRounded else { continue }
                #expect(values(got) == values(want), "layer \(layer)")
            }
        }
    }

    @Test(
        "scales of 8 bits are f16 numbers, also of rows of tiny and of large weights",
        arguments: [1e-7, 1e-4, 0.3, 70, 1e5, 3e7] as [Float])
    func scales(size: Float) throws {
        var random = SplitMix64(seed: 1)
        let elements = (0..<256).map { _ in Float.random(in: -size...size, using: &random) }
        let matrix = Matrix(rows: 4, columns: 64, elements: elements)
        let halves = DType.f16.floats(
            from: DType.f16.bytes(from: matrix.byteScales.span).span.bytes)
        for (row, scale) in matrix.byteScales.enumerated() {
            let largest = matrix.row(row).map(abs).max()!
            #expect(scale * 127 >= largest)
            #expect(scale * 127 <= largest * 1.001 + 0x1p-24 * 127)
            #expect(matrix.hasHalfScales ? halves[row] == scale : scale > 65504)
        }
        let scales = matrix.byteScales
        var rounded = matrix
        for (index, code) in matrix.byteCodes(scales: scales).enumerated() {
            rounded.elements[index] = code * scales[index / 64]
        }
        if size >= 1e-4 { #expect(rounded.byteScales == scales) }
        guard matrix.hasHalfScales else { return }
        #expect(DType.q80.floats(from: matrix.byteBlocks.span.bytes) == rounded.elements)
    }

    @Test("an encoder gives an error and leaves no file")
    func encoder() throws {
        let (tiny, scratch) = (try TinyModel("tiny-bert"), try Scratch())
        #expect(throws: ModelFileError.self) {
            try GGUFModel.write(
                tiny.checkpoint, like: tiny.checkpoint, to: scratch.path("m.gguf"), storage: .f32)
        }
        #expect(try scratch.names().isEmpty)
    }
}

/// A decoder with biases in its feed-forward blocks and in all but one projection of attention.
private struct BiasedWeights: WeightSource {
    let dense: Checkpoint
    let attention: Bool
    let feedForward: Bool

    var shape: ModelShape { dense.shape }

    func embeddings() throws -> EmbeddingWeights { try dense.embeddings() }

    func head() throws -> HeadWeights { try dense.head() }

    func layer(_ index: Int) throws -> LayerWeights {
        var layer = try dense.layer(index)
        func bias(_ projection: Projection) -> [Float] {
            (0..<projection.weight.rows).map { Float($0 % 5) / 8 - 0.2 }
        }
        if attention, var block = layer.attention {
            block.query.bias = bias(block.query)
            block.value.bias = bias(block.value)
            block.output.bias = bias(block.output)
            layer.attention = block
        }
        if feedForward, var block = layer.feedForward {
            block.down.bias = bias(block.down)
            layer.feedForward = block
        }
        return layer
    }
}
