import Foundation
import ModelFiles
import Testing

@testable import Transformers

@Suite("Fields of config.json that change the computation") struct KnownFieldsTests {
    /// Returns the configuration that transformers writes for every supported type.
    private func fresh() throws -> [String: [JSONKey: JSONValue]] {
        let value = try JSONValue(
            parsing: InputFile(path: Fixture.path("configurations.json")).bytes,
            file: "configurations.json")
        let all = try #require(value.object)
        return Dictionary(uniqueKeysWithValues: all.map { ($0.key.text, $0.value.object ?? [:]) })
    }

    private func read(
        _ family: String, _ changes: [JSONKey: JSONValue?] = [:]
    ) throws -> HuggingFaceConfig {
        var members = try #require(try fresh()[family])
        for (key, value) in changes { members[key] = value }
        return try HuggingFaceConfig(members: members, path: "m/config.json")
    }

    private static let families = Family.all.map(\.name)

    @Test("every field that transformers writes by default is known", arguments: families)
    func fresh(family: String) throws {
        #expect(try read(family).unknownFields == [])
    }

    @Test("an absent field has the default value of the class in transformers", arguments: families)
    func defaults(family: String) throws {
        let whole = try read(family)
        for name in try #require(try fresh()[family]).keys
        where ![
            "model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size",
            "intermediate_size", "dim", "n_layers", "n_heads", "hidden_dim", "n_embd", "n_layer",
            "n_head", "ffn_dim", "layer_types",
        ].contains(name.text) {
            let partial = try read(family, [name: JSONValue?.none])
            #expect(partial.headDimension == whole.headDimension, "\(name.text)")
            #expect(partial.maximumPositions == whole.maximumPositions, "\(name.text)")
            #expect(partial.layers == whole.layers, "\(name.text)")
            #expect(partial.normEpsilon == whole.normEpsilon, "\(name.text)")
            #expect(partial.tiesWordEmbeddings == whole.tiesWordEmbeddings, "\(name.text)")
            #expect(partial.beginningTokens == whole.beginningTokens, "\(name.text)")
            #expect(partial.endTokens == whole.endTokens, "\(name.text)")
            #expect(partial.ropeTheta == whole.ropeTheta, "\(name.text)")
        }
    }

    @Test(
        "an unsupported value gives an error for every family",
        arguments: [
            ("llama", "embedding_multiplier", .number(12)),
            ("llama", "final_logit_softcapping", .number(30)),
            ("mistral", "attn_logit_softcapping", .number(50)),
            ("gemma3_text", "use_bidirectional_attention", .bool(true)),
            ("phi3", "embedding_multiplier", .number(2)),
            ("bert", "relative_attention_num_buckets", .integer(32)),
            ("mpnet", "relative_attention_num_buckets", .integer(64)),
            ("bloom", "apply_residual_connection_post_layernorm", .bool(true)),
            ("llama", "num_local_experts", .integer(8)), ("llama", "rope_interleaved", .bool(true)),
            ("llama", "quantization_config", .object(["quant_method": .string("gptq")])),
            ("llama", "add_cross_attention", .bool(true)), ("mistral", "mlp_bias", .bool(true)),
            ("qwen2", "layer_types", .array([.string("sliding_attention")])),
            ("qwen3", "layer_types", .array([.string("linear_attention")])),
            ("gpt2", "scale_attn_by_inverse_layer_idx", .bool(true)),
            ("gpt2", "scale_attn_weights", .bool(false)),
            ("opt", "do_layer_norm_before", .bool(false)), ("opt", "enable_bias", .bool(false)),
            ("opt", "word_embed_proj_dim", .integer(512)),
            ("bert", "is_decoder", .bool(true)),
            ("bert", "position_embedding_type", .string("relative_key")),
            ("bert", "pruned_heads", .object(["0": .array([.integer(1)])])),
            ("distilbert", "is_encoder_decoder", .bool(true)),
            ("stablelm", "use_parallel_residual", .bool(true)),
            ("stablelm", "qk_layernorm", .bool(true)),
            ("llama", "partial_rotary_factor", .number(0.5)),
        ] as [(String, String, JSONValue)])
    func refused(family: String, field: String, value: JSONValue) throws {
        let error = #expect(throws: ModelFileError.self) {
            try read(family, [JSONKey(field): value])
        }
        #expect(error?.description.contains("field \(field): ") == true)
    }

    @Test("the error for an unsupported part of a model names the part")
    func meaning() {
        let error = #expect(throws: ModelFileError.self) {
            try read("mistral", ["attn_logit_softcapping": .number(50)])
        }
        #expect(
            error?.description.contains("soft caps of attention scores are not supported") == true)
    }

    @Test("factors are read from the configuration, and factors that change nothing are omitted")
    func factors() throws {
        let given: [JSONKey: JSONValue?] = [
            "embedding_multiplier": .integer(12), "residual_multiplier": .number(0.22),
            "attention_multiplier": .number(0.015625), "logits_scaling": .integer(8),
        ]
        var wanted = Factors()
        (wanted.embeddings, wanted.branches, wanted.scores, wanted.logits) = (
            12, 0.22, 0.015625, 0.125
        )
        #expect(try read("granite", given).factors == wanted)
        #expect(try read("llama").factors == nil)
        let gemma = try read("gemma3_text").factors
        #expect(gemma?.embeddings == 48 && gemma?.scores == 0.0625)
        #expect(gemma?.scoreCap == nil && gemma?.logitCap == nil)
        #expect(
            try read("gemma3_text", ["final_logit_softcapping": .integer(20)]).factors?.logitCap
                == 20)
        let capped = try read("gemma2").factors
        #expect(capped?.scoreCap == 50 && capped?.logitCap == 30)
        #expect(try read("gemma2", ["attn_logit_softcapping": .null]).factors?.scoreCap == nil)
        let fields: [JSONKey: JSONValue?] = [
            "attn_logit_softcapping": JSONValue?.none, "final_logit_softcapping": .none,
        ]
        #expect(try read("gemma2", fields).factors == capped)
    }

    @Test("fields with several names are read under all of them, and written under the usual one")
    func names() throws {
        let old: [JSONKey: JSONValue?] = [
            "n_embed": .integer(96), "num_attention_heads": .integer(6), "n_inner": .null,
            "num_hidden_layers": .integer(3), "seq_length": .integer(128),
        ]
        let config = try read("bloom", old)
        #expect(config.unknownFields == [])
        #expect(config.hiddenSize == 96 && config.headDimension == 16)
        #expect(config.layers.count == 3 && config.maximumPositions == 128)
        #expect(config.defaultLayer.feedForward == 384 && config.biases == .slopes(heads: 6))
        let again = try HuggingFaceConfig(
            parsing: config.encoded(layers: Array(config.layers.dropLast())), path: "m/config.json")
        #expect(again.layers.count == 2 && again.members["num_hidden_layers"] == nil)
        #expect(again.hiddenSize == 96 && again.members["n_embed"] == nil)
    }

    @Test("the heads that a layer keeps are those of its list, which must fit")
    func keptHeads() throws {
        func read(_ heads: [Int], _ family: String = "mpnet") throws -> HuggingFaceConfig {
            let layer: JSONValue = .object([
                "num_attention_heads": .integer(3),
                "attention_heads": .array(heads.map { .integer($0) }),
            ])
            return try self.read(family, ["espalier_layers": .object(["1": layer])])
        }
        let config = try read([0, 2, 11])
        #expect(config.layers[1].keptHeads == [0, 2, 11] && config.layers[0].keptHeads == nil)
        #expect(config.layers[1].queryHeads == 3 && config.layers[1].keyValueHeads == 3)
        let again = try HuggingFaceConfig(
            parsing: config.encoded(layers: config.layers), path: "m/config.json")
        #expect(again.layers == config.layers && again.defaultLayer == config.defaultLayer)
        for (heads, family) in [
            ([0, 2], "mpnet"), ([0, 2, 2], "mpnet"), ([2, 0, 1], "mpnet"), ([0, 2, 12], "mpnet"),
            ([-1, 0, 2], "mpnet"), ([0, 1, 2], "bert"),
        ] {
            let error = #expect(throws: ModelFileError.self) { try read(heads, family) }
            #expect(error?.description.contains("attention_heads") == true, "\(heads)")
        }
    }

    @Test("layers keep the rotary positions of the configuration when other layers are removed")
    func rotations() throws {
        for family in ["smollm3", "gemma3_text"] {
            let config = try read(family)
            let own: LayerShape.Rotation = family == "smollm3" ? .absent : .base(10_000)
            let every = family == "smollm3" ? 4 : 6
            for (index, layer) in config.layers.enumerated() {
                let isMultiple = (index + 1) % every == 0
                #expect(layer.rotation == (isMultiple == (own == .absent) ? own : nil))
            }
            #expect(ModelShape(config, isTied: true).isUniform)
            let kept = Array(config.layers.dropFirst(3))
            let again = try HuggingFaceConfig(
                parsing: config.encoded(layers: kept), path: "m/config.json")
            #expect(again.layers == kept)
        }
    }

    @Test("the size of a head is read only if the class in transformers reads it")
    func headDimension() throws {
        #expect(try read("stablelm", ["head_dim": .integer(8)]).headDimension == 80)
        #expect(try read("bert", ["head_dim": .integer(8)]).headDimension == 64)
        #expect(try read("llama", ["head_dim": .integer(8)]).headDimension == 8)
    }

    @Test("a value that changes nothing is accepted in every notation")
    func neutral() throws {
        for value in [.null, .integer(1), .number(1)] as [JSONValue] {
            #expect(try read("llama", ["logits_scaling": value]).unknownFields == [])
        }
        #expect(
            try read("mistral", ["sliding_window": .null]).layers.allSatisfy { $0.window == nil })
    }

    @Test("layers keep the windows of the configuration when other layers are removed")
    func windows() throws {
        let window: [JSONKey: JSONValue?] = [
            "use_sliding_window": .bool(true), "sliding_window": .integer(64),
            "layer_types": JSONValue?.none,
        ]
        let fields: [(String, [JSONKey: JSONValue?], (Int) -> Bool)] = [
            ("mistral", [:], { _ in true }), ("phi3", [:], { _ in true }),
            ("qwen2", ["max_window_layers": .integer(2)], { $0 >= 2 }),
            ("qwen3", ["max_window_layers": .integer(0)], { _ in true }),
            ("smollm3", [:], { $0 % 4 == 3 }), ("gemma3_text", [:], { $0 % 6 != 5 }),
            ("gemma2", [:], { $0 % 2 == 0 }),
        ]
        for (family, own, isLocal) in fields {
            let config = try read(family, window.merging(own) { $1 })
            for (index, layer) in config.layers.enumerated() {
                #expect(layer.window == (isLocal(index) ? 64 : nil), "\(family) \(index)")
            }
            let kept = Array(config.layers.dropFirst(3))
            let again = try HuggingFaceConfig(
                parsing: config.encoded(layers: kept), path: "m/config.json")
            #expect(again.layers == kept)
            let types = (0..<config.layers.count).map { index in
                JSONValue.string(index == 1 ? "sliding_attention" : "full_attention")
            }
            guard family.hasPrefix("qwen") else { continue }
            let listed = try read(family, window.merging(["layer_types": .array(types)]) { $1 })
            #expect(listed.layers.indices.filter { listed.layers[$0].window != nil } == [1])
        }
    }

    @Test("unknown fields are listed, except empty fields and the program's own code")
    func unknown() throws {
        let config = try read(
            "llama",
            [
                "mystery_scale": .number(2), "quiet": .null,
                "rope_parameters": .object(["rope_theta": .integer(10_000), "twist": .integer(2)]),
                "auto_map": .object(["AutoModel": .string("modeling_other.Other")]),
            ])
        #expect(config.unknownFields == ["auto_map", "mystery_scale", "rope_parameters.twist"])
        let own = JSONValue.object(["AutoModel": .string("modeling_espalier.Model")])
        #expect(try read("llama", ["auto_map": own]).unknownFields == [])
    }

    @Test(
        "families whose norms have a fixed epsilon ignore the field",
        arguments: ["distilbert", "opt"])
    func epsilon(family: String) throws {
        let usual = try read(family).normEpsilon
        #expect(try read(family, ["layer_norm_eps": .number(0.5)]).normEpsilon == usual)
    }

    @Test("the error for an unsupported type lists the supported types and models")
    func types() throws {
        let error = #expect(throws: ModelFileError.self) {
            try read("llama", ["model_type": .string("t5")])
        }
        let text = try #require(error?.description)
        for family in Self.families { #expect(text.contains(family)) }
        #expect(text.contains("\"t5\"") && text.contains("SmolLM2"))
    }

    @Test("a fraction of each head is rotated if the family has this option")
    func partialRotary() throws {
        let usual = try read("stablelm", ["rope_parameters": .null])
        #expect(usual.headDimension == 80 && usual.rotaryDimension == 20)
        func turned(_ share: JSONValue) throws -> Int {
            let given: [JSONKey: JSONValue?] = [
                "rope_parameters": .null, "partial_rotary_factor": share,
            ]
            return try read("stablelm", given).rotaryDimension
        }
        #expect(try turned(.number(0.5)) == 40 && turned(.integer(1)) == 80)
        for share in [.number(0.01), .number(1.5), .number(0.99)] as [JSONValue] {
            let error = #expect(throws: ModelFileError.self) { try turned(share) }
            #expect(error?.description.contains("field partial_rotary_factor") == true)
        }
        let parameters = JSONValue.object([
            "rope_theta": .integer(10_000), "partial_rotary_factor": .number(0.5),
        ])
        let inner = try read("stablelm", ["rope_parameters": parameters])
        #expect(inner.rotaryDimension == 40)
    }

    @Test("the configuration sets which biases and head norms exist")
    func optional() throws {
        #expect(try read("qwen2").optionalWeights == .attentionInputBiases)
        #expect(try read("qwen3").optionalWeights == .headNorms)
        #expect(try read("llama").optionalWeights == [])
        #expect(
            try read("stablelm", ["use_qkv_bias": .bool(true)]).optionalWeights
                == .attentionInputBiases)
        #expect(
            try read("llama", ["attention_bias": .bool(true)]).optionalWeights == .attentionBiases)
        let pruned = try read("llama", ["output_bias": .bool(true)])
        #expect(pruned.optionalWeights == [])
        #expect(pruned.allowedBiases == [.attentionOutputBias, .feedForwardOutputBias])
    }
}
