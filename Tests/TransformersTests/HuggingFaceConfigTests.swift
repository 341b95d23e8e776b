import Foundation
import ModelFiles
import TestSupport
import Testing

@testable import Transformers

@Suite("HuggingFaceConfig") struct HuggingFaceConfigTests {
    private let llama: [JSONKey: JSONValue] = [
        "model_type": .string("llama"), "hidden_size": .integer(576),
        "num_hidden_layers": .integer(30), "num_attention_heads": .integer(9),
        "num_key_value_heads": .integer(3), "intermediate_size": .integer(1536),
        "vocab_size": .integer(49152), "rms_norm_eps": .number(1e-5),
        "rope_theta": .integer(100_000), "tie_word_embeddings": .bool(true),
        "eos_token_id": .array([.integer(2), .integer(3)]),
        "unknown": .array([.null, .number(0.1)]),
    ]

    private func read(
        _ base: [JSONKey: JSONValue], _ changes: [JSONKey: JSONValue] = [:]
    ) throws(ModelFileError) -> HuggingFaceConfig {
        try HuggingFaceConfig(members: base.merging(changes) { $1 }, path: "m/config.json")
    }

    @Test("a Llama configuration is read")
    func readsLlama() throws {
        let config = try read(llama)
        #expect(config.family == .llama)
        #expect(config.headDimension == 64)
        #expect(config.maximumPositions == 2048)
        #expect(config.normEpsilon == 1e-5)
        #expect(config.ropeTheta == 100_000)
        #expect(config.activation == "silu")
        #expect(config.tiesWordEmbeddings)
        #expect(config.beginningTokens == [1])
        #expect(config.endTokens == [2, 3])
        #expect(config.paddingToken == nil)
        #expect(config.layers.count == 30)
        let layer = LayerShape(queryHeads: 9, keyValueHeads: 3, feedForward: 1536)
        #expect(config.layers.allSatisfy { $0 == layer })
    }

    @Test("token ids outside the vocabulary give an error", arguments: ["pad", "bos", "eos"])
    func tokenIDs(name: String) throws {
        let error = #expect(throws: ModelFileError.self) {
            let text = """
                {"model_type": "roberta", "hidden_size": 64, "num_hidden_layers": 1,
                 "num_attention_heads": 4, "intermediate_size": 128, "vocab_size": 512,
                 "\(name)_token_id": 9223372036854775807}
                """
            _ = try HuggingFaceConfig(parsing: Array(text.utf8), path: "config.json")
        }
        #expect(error?.description.contains("\(name)_token_id") == true)
    }

    @Test("a BERT configuration is read with the defaults of its family")
    func readsBERT() throws {
        let text = """
            {"model_type": "bert", "hidden_size": 384, "num_hidden_layers": 6, "pad_token_id": 0,
             "num_attention_heads": 12, "intermediate_size": 1536, "vocab_size": 30522,
             "layer_norm_eps": 1e-12, "hidden_act": "gelu", "bos_token_id": null,
             "espalier_layers": {"2": {"num_attention_heads": 7}}}
            """
        let config = try HuggingFaceConfig(parsing: Array(text.utf8), path: "config.json")
        #expect(config.family == .bert)
        #expect(config.headDimension == 32)
        #expect(config.typeVocabularySize == 2)
        #expect(config.maximumPositions == 512)
        #expect(config.normEpsilon == 1e-12)
        #expect(config.paddingToken == 0 && config.beginningTokens.isEmpty)
        #expect(config.layers[2] == LayerShape(queryHeads: 7, keyValueHeads: 7, feedForward: 1536))
        let again = try HuggingFaceConfig(
            parsing: config.encoded(layers: config.layers), path: "config.json")
        #expect(again == config)
    }

    @Test("per-layer sizes are read")
    func perLayer() throws {
        let config = try read(
            llama,
            [
                "per_layer_config": .object([
                    "05": .object(["intermediate_size": .integer(960)]),
                    "11": .object([
                        "num_attention_heads": .integer(6), "num_key_value_heads": .integer(2),
                    ]),
                    "23": .object(["skip": .array([.string("mlp")])]),
                    "07": .object(["skip": .array([.string("attention")])]),
                ])
            ])
        #expect(config.layers[5] == .init(queryHeads: 9, keyValueHeads: 3, feedForward: 960))
        #expect(config.layers[11] == .init(queryHeads: 6, keyValueHeads: 2, feedForward: 1536))
        #expect(config.layers[23] == .init(queryHeads: 9, keyValueHeads: 3, feedForward: 0))
        #expect(config.layers[7] == .init(queryHeads: 0, keyValueHeads: 0, feedForward: 1536))
        #expect(config.layers[0] == config.defaultLayer)
    }

    @Test("a written configuration has the changes and keeps unknown fields")
    func writes() throws {
        let config = try read(llama)
        var layers = config.layers
        layers[5].feedForward = 960
        layers[7] = .init(queryHeads: 0, keyValueHeads: 0, feedForward: 0)
        layers[11] = .init(queryHeads: 6, keyValueHeads: 2, feedForward: 1536)
        let bytes = config.encoded(layers: layers, extra: ["auto_map": .object([:])])
        let again = try HuggingFaceConfig(parsing: bytes, path: "m/config.json")
        #expect(again.layers == layers)
        #expect(again.members["unknown"] == llama["unknown"])
        #expect(again.members["auto_map"] == .object([:]))
        let perLayer = String(
            decoding: (again.members["espalier_layers"] ?? .null).encoded(), as: UTF8.self)
        #expect(
            perLayer == #"{"11":{"num_attention_heads":6,"num_key_value_heads":2},"#
                + #""5":{"intermediate_size":960},"7":{"skip":["attention","mlp"]}}"#)
        #expect(again.encoded(layers: layers) == bytes)
        let dense = try HuggingFaceConfig(
            parsing: again.encoded(layers: config.layers), path: "m/config.json")
        let thinner = LayerShape(queryHeads: 6, keyValueHeads: 2, feedForward: 960)
        let alike = [LayerShape](repeating: thinner, count: 30)
        #expect(!config.needsCode(for: alike) && config.needsCode(for: layers))
        let thin = try HuggingFaceConfig(
            parsing: config.encoded(layers: alike), path: "m/config.json")
        #expect(thin.layers == alike && thin.members["espalier_layers"] == nil)
        #expect(thin.headDimension == config.headDimension)
        #expect(dense.members["espalier_layers"] == nil)
        #expect(dense.layers == config.layers)
    }

    @Test("unscaled rotary positions are read in every notation")
    func rope() throws {
        let parameters: JSONValue = .object([
            "rope_type": .string("default"), "rope_theta": .number(5000),
        ])
        #expect(try read(llama, ["rope_parameters": parameters]).ropeTheta == 5000)
        #expect(try read(llama, ["rope_scaling": .null]).ropeTheta == 100_000)
        let old: JSONValue = .object(["type": .string("default")])
        #expect(try read(llama, ["rope_scaling": old]).ropeTheta == 100_000)
        #expect(try read(llama, ["rope_theta": .null]).ropeTheta == 10_000)
        #expect(try read(llama, ["rope_scaling": old]).ropeScaling == nil)
        let scaling = RopeScaling(factor: 32)
        for name in ["rope_scaling", "rope_parameters"] as [JSONKey] {
            let config = try read(llama, [name: .object(scaling.members)])
            #expect(config.ropeScaling == scaling && config.ropeTheta == 100_000)
        }
    }

    @Test("a damaged file is read or gives an error")
    func damaged() throws {
        let text = """
            {"model_type": "llama", "hidden_size": 576, "num_hidden_layers": 30, "head_dim": 64,
             "num_attention_heads": 9, "num_key_value_heads": 3, "intermediate_size": 1536,
             "vocab_size": 49152, "rms_norm_eps": 1e-05, "eos_token_id": [2, 7], "hidden_act": "silu",
             "rope_parameters": {"rope_type": "default", "rope_theta": 100000},
             "per_layer_config": {"5": {"intermediate_size": 960}, "23": {"skip": ["mlp"]},
             "11": {"num_attention_heads": 6, "num_key_value_heads": 2}}}
            """
        try damage(Array(text.utf8), header: text.utf8.count) { bytes throws(ModelFileError) in
            let config = try HuggingFaceConfig(parsing: bytes, path: "config.json")
            let again = try HuggingFaceConfig(
                parsing: config.encoded(layers: config.layers), path: "config.json")
            #expect(again.layers == config.layers)
        }
    }

    @Test("slow pairs are scaled by the factor, fast pairs are not, with a smooth transition")
    func ropeScaling() {
        let scaling = RopeScaling(factor: 8)
        let divisors = (0..<6000).map { scaling.divisor(of: pow(0.998, Double($0))) }
        #expect(divisors.first == 1 && divisors.last == 8 && divisors == divisors.sorted())
        #expect(zip(divisors, divisors.dropFirst()).allSatisfy { $1 - $0 < 0.05 })
        // 1.5 rotations within the original positions: a sixth of the transition.
        let between = scaling.divisor(of: 1.5 * 2 * .pi / 8192)
        #expect(abs(between - 1 / (5.0 / 6 / 8 + 1.0 / 6)) < 1e-9)
    }

    @Test(
        "an unsupported or impossible value gives an error that names the field",
        arguments: [
            ("model_type", .string("t5")), ("model_type", .null), ("hidden_size", .integer(0)),
            ("hidden_size", .integer(-576)), ("hidden_size", .integer(.max)),
            ("hidden_size", .number(576.5)), ("hidden_size", .string("576")),
            ("hidden_size", .null), ("num_attention_heads", .integer(7)),
            ("num_key_value_heads", .integer(2)), ("num_key_value_heads", .integer(0)),
            ("num_hidden_layers", .integer(1 << 60)), ("vocab_size", .integer(1 << 40)),
            ("head_dim", .integer(-1)), ("head_dim", .integer(63)),
            ("intermediate_size", .integer(1 << 62)),
            ("rms_norm_eps", .integer(0)), ("rms_norm_eps", .string("1e-5")),
            ("rope_theta", .number(-1)), ("tie_word_embeddings", .integer(1)),
            ("eos_token_id", .string("2")), ("eos_token_id", .array([.number(0.5)])),
            ("rope_scaling", .object(["rope_type": .string("llama3")])),
            ("rope_scaling", .object(["type": .string("linear")])),
            (
                "rope_scaling",
                .object(
                    RopeScaling(factor: 8).members.merging(["type": .string("yarn")]) { $1 })
            ),
            ("rope_parameters", .object(["full_attention": .object([:])])),
            ("partial_rotary_factor", .number(0.5)), ("per_layer_config", .array([])),
            ("per_layer_config", .object(["30": .object([:])])),
            ("per_layer_config", .object(["-1": .object([:])])),
            ("per_layer_config", .object(["+5": .object([:])])),
            ("per_layer_config", .object(["5": .object([:]), "05": .object([:])])),
            ("per_layer_config", .object(["x": .object([:])])),
            ("per_layer_config", .object(["1": .integer(3)])),
            ("per_layer_config", .object(["1": .object(["skip": .string("mlp")])])),
            ("per_layer_config", .object(["1": .object(["skip": .array([.string("x")])])])),
            ("per_layer_config", .object(["1": .object(["num_attention_heads": .integer(4)])])),
            ("per_layer_config", .object(["1": .object(["intermediate_size": .integer(0)])])),
            ("per_layer_config", .object(["1": .object(["head_dim": .integer(32)])])),
        ] as [(String, JSONValue)])
    func refuses(field: String, value: JSONValue) {
        let error = #expect(throws: ModelFileError.self) {
            try read(llama, [JSONKey(field): value])
        }
        let text = error?.description ?? ""
        #expect(text.hasPrefix("m/config.json: field "))
        let blamed = field == "num_attention_heads" ? "num_" : field
        #expect(text.contains(blamed))
    }
}
