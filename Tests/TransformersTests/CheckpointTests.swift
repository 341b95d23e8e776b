import Foundation
import ModelFiles
import Tensors
import TestSupport
import Testing

@testable import Transformers

@Suite("The tensors of a model's file")
struct CheckpointTests {
    static let untied = [
        "tiny-llama3", "tiny-mistral", "tiny-qwen2", "tiny-qwen3", "tiny-stablelm", "tiny-granite",
        "tiny-phi3", "tiny-smollm3", "tiny-gemma3_text", "tiny-gemma2",
    ]
    static let tied = ["tiny-gpt2", "tiny-opt", "tiny-llama", "tiny-bloom"]

    private func expectRefusal(
        _ copy: ModelCopy, _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let error = #expect(throws: ModelFileError.self, sourceLocation: sourceLocation) {
            try Checkpoint(copy.path)
        }
        for part in parts {
            #expect(
                error?.description.contains(part) == true, "\(String(describing: error))",
                sourceLocation: sourceLocation)
        }
    }

    @Test(
        "a missing output head gives an error, unless the configuration ties it", arguments: untied)
    func missingHead(name: String) throws {
        let copy = try ModelCopy(name, fields: ["tie_word_embeddings": .bool(false)]) {
            $0["lm_head.weight"] = nil
        }
        expectRefusal(copy, "lm_head.weight", "tie_word_embeddings")
        let tied = try ModelCopy(name, fields: ["tie_word_embeddings": .bool(true)]) {
            $0["lm_head.weight"] = nil
        }
        let checkpoint = try Checkpoint(tied.path)
        #expect(checkpoint.shape.tiedHead)
        #expect(try checkpoint.head().output == nil)
    }

    @Test(
        "an output head that differs from the embedding is used, even if the flag ties it",
        arguments: untied)
    func distinctHead(name: String) throws {
        let copy = try ModelCopy(name, fields: ["tie_word_embeddings": .bool(true)])
        let checkpoint = try Checkpoint(copy.path)
        #expect(!checkpoint.shape.tiedHead)
        let expected = try Fixture.decode(FamilyTests.Expected.self, "\(name)/expected.json")
        var pass = ForwardPass(try Model(checkpoint), on: Engine(threads: 2))
        let logits = pass.allLogits(of: TokenBatch(expected.ids))
        expectClose(
            logits.elements, expected.logits.flatMap { $0.flatMap(\.self) }, absolute: 2e-4)
    }

    @Test("an output head that equals the embedding is tied", arguments: tied)
    func equalHead(name: String) throws {
        let copy = try ModelCopy(name, fields: ["tie_word_embeddings": .bool(true)]) {
            $0["lm_head.weight"] =
                $0["model.embed_tokens.weight"] ?? $0["transformer.wte.weight"]
                ?? $0["model.decoder.embed_tokens.weight"]
                ?? $0["transformer.word_embeddings.weight"]
        }
        #expect(try Checkpoint(copy.path).shape.tiedHead)
    }

    @Test(
        "an unknown tensor gives an error that names it",
        arguments: [
            ("tiny-llama3", "model.layers.0.self_attn.o_proj.bias", [48]),
            ("tiny-mistral", "model.layers.1.mlp.down_proj.bias", [48]),
            ("tiny-qwen2", "model.layers.0.self_attn.o_proj.bias", [48]),
            ("tiny-llama3", "model.layers.0.self_attn.q_norm.weight", [16]),
            ("tiny-llama3", "model.embed_positions.weight", [64, 48]),
            ("tiny-llama3", "lm_head.bias", [96]), ("tiny-gpt2", "score.weight", [2, 48]),
            ("tiny-opt", "model.decoder.project_in.weight", [48, 48]),
            ("tiny-bert", "encoder.layer.0.attention.self.distance_embedding.weight", [9, 12]),
            ("tiny-bert", "embeddings.extra.weight", [2, 48]),
        ])
    func strange(name: String, tensor: String, shape: [Int]) throws {
        expectRefusal(try ModelCopy(name) { $0.add(tensor, shape) }, tensor)
    }

    @Test(
        "buffers of old versions and heads of encoders are accepted",
        arguments: [
            ("tiny-llama3", "model.layers.0.self_attn.rotary_emb.inv_freq", [6]),
            ("tiny-gpt2", "transformer.h.0.attn.bias", [1, 1, 64, 64]),
            ("tiny-gpt2", "transformer.h.0.attn.masked_bias", []),
            ("tiny-bert", "embeddings.position_ids", [1, 64]),
            ("tiny-bert", "cls.predictions.bias", [96]),
        ])
    func harmless(name: String, tensor: String, shape: [Int]) throws {
        let copy = try ModelCopy(name) { $0.add(tensor, shape) }
        let checkpoint = try Checkpoint(copy.path)
        let isCarried = try checkpoint.otherTensors().contains { $0.name == tensor }
        #expect(isCarried == tensor.hasPrefix("cls."))
    }

    @Test("biases are read if the configuration has them")
    func biases() throws {
        func add(_ tensors: inout [String: NamedTensor]) {
            for layer in 0..<3 {
                let prefix = "model.layers.\(layer)."
                for (name, width) in [
                    ("self_attn.q_proj", 48), ("self_attn.k_proj", 24), ("self_attn.v_proj", 24),
                    ("self_attn.o_proj", 48),
                ] { tensors.add(prefix + name + ".bias", [width]) }
            }
        }
        let copy = try ModelCopy("tiny-llama3", fields: ["attention_bias": .bool(true)], add)
        let checkpoint = try Checkpoint(copy.path)
        #expect(checkpoint.shape.optionalWeights == .attentionBiases)
        #expect(
            try checkpoint.layer(0).attention?.output.bias == [Float](repeating: 0.5, count: 48))
        expectRefusal(try ModelCopy("tiny-llama3", add), "attention_bias")
    }

    @Test(
        "the error for an unsupported kind of weights names the kind",
        arguments: [
            ("model.layers.0.mlp.up_proj.qweight", "GPTQ"),
            ("model.layers.0.mlp.up_proj.SCB", "bitsandbytes"),
            ("base_model.model.layers.0.mlp.up_proj.lora_A.weight", "LoRA"),
            ("model.layers.0.mlp.experts.0.w1.weight", "mixture of experts"),
        ])
    func kinds(tensor: String, kind: String) throws {
        expectRefusal(try ModelCopy("tiny-llama3") { $0.add(tensor, [2, 2]) }, tensor, kind)
    }

    @Test("shapes of tensors are checked before any values are read")
    func sizes() throws {
        let short = try ModelCopy("tiny-llama3") {
            $0.add("model.layers.2.mlp.down_proj.weight", [48, 63])
        }
        expectRefusal(short, "layers.2.mlp.down_proj", "[48, 63]")
        let lacking = try ModelCopy("tiny-bert") {
            $0["encoder.layer.2.output.LayerNorm.bias"] = nil
        }
        expectRefusal(lacking, "encoder.layer.2.output.LayerNorm.bias")
    }

    @Test("layers that the configuration does not count give a remark and are not written")
    func surplus() throws {
        let copy = try ModelCopy("tiny-llama3", fields: ["num_hidden_layers": .integer(2)])
        let checkpoint = try Checkpoint(copy.path)
        #expect(checkpoint.remarks.count == 1 && checkpoint.remarks[0].contains("9 tensors"))
        #expect(try checkpoint.otherTensors().isEmpty)
    }

    @Test("unknown fields give a remark")
    func remarks() throws {
        let copy = try ModelCopy("tiny-llama3", fields: ["mystery\u{1B}": .integer(2)])
        let remarks = try Checkpoint(copy.path).remarks
        #expect(remarks.count == 1 && remarks[0].contains("mystery"))
        #expect(!remarks[0].contains("\u{1B}"))
        #expect(try ModelShape.read(copy.path + "/config.json").remarks == remarks)
        #expect(try Checkpoint(Fixture.path("tiny-llama3")).remarks.isEmpty)
    }

    @Test(
        "the old names gamma and beta of norms are read", arguments: ["tiny-bert", "tiny-roberta"])
    func oldNames(name: String) throws {
        let copy = try ModelCopy(name) {
            $0.rename {
                guard $0.contains("LayerNorm") else { return $0 }
                return $0.replacing("Norm.weight", with: "Norm.gamma")
                    .replacing("Norm.bias", with: "Norm.beta")
            }
        }
        let (one, two) = (try Checkpoint(copy.path), try Checkpoint(Fixture.path(name)))
        #expect(try one.layer(1) == two.layer(1) && one.embeddings() == two.embeddings())
        #expect(try one.otherTensors().map(\.name) == two.otherTensors().map(\.name))
    }

    @Test(
        "tensor names without a prefix, as in base classes, are read",
        arguments: untied + tied + ["tiny-roberta"])
    func basePrefix(name: String) throws {
        let copy = try ModelCopy(name, fields: ["tie_word_embeddings": .bool(true)]) {
            $0["lm_head.weight"] = nil
            $0.rename { name in
                ["model.decoder.", "transformer.", "model.", "roberta."]
                    .first(where: name.hasPrefix)
                    .map { ($0 == "model.decoder." ? "decoder." : "") + name.dropFirst($0.count) }
                    ?? name
            }
        }
        let (one, two) = (try Checkpoint(copy.path), try Checkpoint(Fixture.path(name)))
        for index in one.shape.layers.indices { #expect(try one.layer(index) == two.layer(index)) }
        #expect(try one.embeddings() == two.embeddings())
    }

    @Test(
        "for every family, random weights have the tensors of a checkpoint",
        arguments: Family.all.map(\.name) + ["llama3"])
    func random(name: String) throws {
        // XLM-RoBERTa's files differ from RoBERTa's files only in the name of the family.
        let isXLM = name == Family.xlmRoberta.name
        let copy = try ModelCopy(
            "tiny-" + (isXLM ? Family.roberta.name : name),
            fields: isXLM ? ["model_type": .string(name)] : [:])
        let checkpoint = try Checkpoint(copy.path)
        #expect(name == "llama3" || checkpoint.config.family.name == name)
        let shape = try ModelShape(contentsOf: copy.path + "/config.json")
        #expect(shape == checkpoint.shape)
        let (names, random) = (checkpoint.huggingFaceNames, RandomWeights(shape: shape))
        var tensors = names.tensors(of: random.embeddings()) + names.tensors(of: random.head())
        for index in shape.layers.indices {
            tensors += names.tensors(
                of: random.layer(index), at: index, headDimension: shape.headDimension)
        }
        let others = Set(try checkpoint.otherTensors().map(\.name))
        #expect(
            Set(tensors.map(\.name)).symmetricDifference(checkpoint.file.names) == others)
        // The file may have unused rows of positions, and may lack rows of token types.
        let (positions, types) = (
            names.positions.map { $0 + ".weight" }, names.types.map { $0 + ".weight" }
        )
        for tensor in tensors {
            var stored = try #require(checkpoint.file.shape(of: tensor.name))
            var shape = tensor.shape
            if tensor.name == positions { stored[0] = min(stored[0], shape[0]) }
            if tensor.name == types { shape[0] = min(stored[0], shape[0]) }
            #expect(stored == shape, "\(tensor.name)")
        }
    }

    @Test("the number of parameters agrees with the file", arguments: untied + tied)
    func parameters(name: String) throws {
        let checkpoint = try Checkpoint(Fixture.path(name))
        let count = checkpoint.file.names.reduce(0) {
            $0 + (checkpoint.file.shape(of: $1) ?? []).reduce(1, *)
        }
        // OPT's table has two rows that belong to no position.
        #expect(checkpoint.shape.parameters == count - (name == "tiny-opt" ? 2 * 48 : 0))
    }
}
