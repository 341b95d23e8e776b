import Foundation
import ModelFiles
import Tensors
import Testing
import Transformers

@testable import Pruning

@Suite("Heads of written models")
struct HeadTests {
    /// Writes a copy of the tiny BERT as a model of a class.
    ///
    /// Tensor names begin with `bert.`, and further tensors are added with the given shapes.
    private func model(
        _ name: String, _ tensors: [String: [Int]], in scratch: Scratch
    ) throws -> String {
        let path = scratch.path("source")
        try? FileManager.default.removeItem(atPath: path)
        try FileManager.default.copyItem(atPath: TinyModel.path("tiny-bert"), toPath: path)
        try edit(path) { $0["architectures"] = [name] }
        let file = try SafetensorsFile(path: TinyModel.path("tiny-bert"))
        var entries = file.names.filter { !$0.hasPrefix("pooler") }.map {
            SafetensorsWriter.Entry(name: "bert." + $0, shape: file.shape(of: $0) ?? [])
        }
        entries += tensors.map { SafetensorsWriter.Entry(name: $0.key, shape: $0.value) }
        try SafetensorsWriter.write(entries, to: path + "/model.safetensors") { entry in
            if tensors[entry.name] == nil {
                return try file.floats(String(entry.name.dropFirst(5)))
            }
            return (0..<entry.shape.reduce(1, *)).map { Float($0 % 7) - 3 }
        }
        return path
    }

    private func edit(_ model: String, _ change: (inout [String: Any]) -> Void) throws {
        let url = URL(fileURLWithPath: model + "/config.json")
        var config = try config(of: model)
        change(&config)
        try JSONSerialization.data(withJSONObject: config).write(to: url)
    }

    private func config(of model: String) throws -> [String: Any] {
        let url = URL(fileURLWithPath: model + "/config.json")
        return try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
    }

    private static let pooler = [
        "bert.pooler.dense.weight": [48, 48], "bert.pooler.dense.bias": [48],
    ]
    private static let masked = [
        "cls.predictions.transform.dense.weight": [48, 48],
        "cls.predictions.transform.dense.bias": [48],
        "cls.predictions.transform.LayerNorm.weight": [48],
        "cls.predictions.transform.LayerNorm.bias": [48], "cls.predictions.bias": [400],
    ]
    private static let next = [
        "cls.seq_relationship.weight": [2, 48], "cls.seq_relationship.bias": [2],
    ]
    // There are as many labels as channels. They must not be treated as channels.
    private static let labels = ["classifier.weight": [48, 48], "classifier.bias": [48]]
    private static let one = ["classifier.weight": [1, 48], "classifier.bias": [1]]

    private static let classes: [(String, [String: [Int]], [String])] = [
        ("BertForTokenClassification", labels, ["logits"]),
        ("BertForSequenceClassification", labels.merging(pooler) { $1 }, ["logits"]),
        ("BertForMultipleChoice", one.merging(pooler) { $1 }, ["logits", "choices"]),
        ("BertForMaskedLM", masked, ["logits"]),
        ("BertForNextSentencePrediction", next.merging(pooler) { $1 }, ["logits"]),
        (
            "BertForPreTraining", masked.merging(next) { $1 }.merging(pooler) { $1 },
            ["prediction_logits", "seq_relationship_logits"]
        ),
        (
            "BertForQuestionAnswering", ["qa_outputs.weight": [2, 48], "qa_outputs.bias": [2]],
            ["start_logits", "end_logits"]
        ),
    ]

    @Test(
        "a written model keeps the class, tensors and results of the head", arguments: 0..<7)
    func carried(index: Int) throws {
        let (name, tensors, results) = Self.classes[index]
        let scratch = try Scratch()
        let checkpoint = try Checkpoint(try model(name, tensors, in: scratch))
        let path = scratch.path("copy")
        for channels in [nil, Array(0..<36)] {
            let weights = Outlined(checkpoint, channels: channels, feedForward: 8)
            try HuggingFaceDirectory.write(
                weights, like: checkpoint, channels: channels, to: path)
            let config = try config(of: path)
            #expect(config["architectures"] as? [String] == [name])
            let ending = name.dropFirst("Bert".count)
            let classes = try #require(config["auto_map"] as? [String: String])
            #expect(classes["AutoModel\(ending)"] == "modeling_espalier.Espalier\(name)")
            let file = try SafetensorsFile(path: path)
            for (tensor, sizes) in tensors {
                var wanted = sizes.map { $0 == 48 ? channels?.count ?? 48 : $0 }
                if tensor.hasPrefix("classifier") { wanted[0] = sizes[0] }
                #expect(file.shape(of: tensor) == wanted, "\(tensor)")
            }
            let graph = String(
                decoding: try InputFile(path: path + "/model.onnx").bytes, as: UTF8.self)
            for result in results { #expect(graph.contains(result)) }
            #expect(!graph.contains("last_hidden_state"))
        }
    }

    @Test("if the file lacks the head of its class, the model is written without a head")
    func stale() throws {
        let scratch = try Scratch()
        let checkpoint = try Checkpoint(try model("BertForMaskedLM", Self.pooler, in: scratch))
        #expect(try checkpoint.taskHead() == .base)
        try HuggingFaceDirectory.write(checkpoint, like: checkpoint, to: scratch.path("copy"))
        #expect(
            try config(of: scratch.path("copy"))["architectures"] as? [String] == ["BertModel"])
    }

    @Test("the error for an unknown or incomplete head names the head")
    func refused() throws {
        let scratch = try Scratch()
        func expectRefused(_ name: String, _ tensors: [String: [Int]], _ part: String) throws {
            let checkpoint = try Checkpoint(try model(name, tensors, in: scratch))
            let error = #expect(throws: ModelFileError.self) {
                try HuggingFaceDirectory.check(checkpoint)
            }
            #expect(error?.description.contains(name) == true)
            #expect(error?.description.contains(part) == true)
            #expect(throws: ModelFileError.self) {
                try HuggingFaceDirectory.write(
                    checkpoint, like: checkpoint, to: scratch.path("out"))
            }
        }
        try expectRefused("BertForRanking", ["ranker.weight": [3, 48]], "ranker.weight")
        try expectRefused("BertForSequenceClassification", Self.one, "bert.pooler.dense.weight")
        #expect(try scratch.names() == ["source"])
        for (fixture, name) in [
            ("tiny-llama", "LlamaForSequenceClassification"),
            ("tiny-gpt2", "GPT2ForTokenClassification"),
        ] {
            let decoder = scratch.path(fixture)
            try FileManager.default.copyItem(atPath: TinyModel.path(fixture), toPath: decoder)
            let file = try SafetensorsFile(path: decoder)
            let entries =
                file.names.map {
                    SafetensorsWriter.Entry(name: $0, shape: file.shape(of: $0) ?? [])
                } + [SafetensorsWriter.Entry(name: "score.bias", shape: [2])]
            let contents = try Dictionary(
                uniqueKeysWithValues: file.names.map { ($0, try file.floats($0)) })
            try SafetensorsWriter.write(entries, to: decoder + "/model.safetensors") {
                contents[$0.name] ?? [1, 1]
            }
            try edit(decoder) { $0["architectures"] = [name] }
            let error = #expect(throws: ModelFileError.self) {
                try HuggingFaceDirectory.check(try Checkpoint(decoder))
            }
            #expect(error?.description.contains("score.bias") == true)
            #expect(error?.description.contains("the head of \"\(name)\"") == true)
        }
    }

    @Test("layers that the configuration does not count and duplicate types are not written")
    func stalePieces() throws {
        let scratch = try Scratch()
        for name in ["tiny-bert", "tiny-llama"] {
            let (source, copy) = (scratch.path(name), scratch.path("copy"))
            try FileManager.default.copyItem(atPath: TinyModel.path(name), toPath: source)
            try edit(source) {
                $0["num_hidden_layers"] = 2
                $0["dtype"] = "float16"
                $0["torch_dtype"] = "float16"
                $0["text_config"] = ["dtype": "float16", "a": 1] as [String: Any]
                $0["auto_map"] = ["AutoModel": "modeling_other.Other"]
            }
            let checkpoint = try Checkpoint(source)
            try HuggingFaceDirectory.write(
                checkpoint, like: checkpoint, to: copy, type: .bf16, writesONNX: false)
            let names = try SafetensorsFile(path: copy).names
            #expect(names.contains { $0.contains(".1.") })
            #expect(!names.contains { $0.contains("layer.2.") || $0.contains("layers.2.") })
            let config = try config(of: copy)
            #expect(config["torch_dtype"] as? String == "bfloat16")
            #expect(config["dtype"] == nil && config["auto_map"] == nil)
            #expect(config["text_config"] as? [String: Int] == ["a": 1])
        }
    }

    @Test("modules of sentence-transformers are written with the width of the model")
    func companions() throws {
        let scratch = try Scratch()
        let modules: [[String: Any]] = [
            ["idx": 0, "name": "0", "path": "0_Transformer", "type": "Transformer"],
            ["idx": 1, "name": "1", "path": "1_Pooling", "type": "Pooling"],
            ["idx": 2, "name": "2", "path": "2_Normalize", "type": "Normalize"],
        ]
        func write(_ value: Any, _ name: String) throws {
            let url = URL(fileURLWithPath: scratch.path(name))
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try JSONSerialization.data(withJSONObject: value).write(to: url)
        }
        func read(_ name: String) throws -> [String: Any] {
            let data = try Data(contentsOf: URL(fileURLWithPath: scratch.path(name)))
            return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        }
        try FileManager.default.createDirectory(
            atPath: scratch.path("st"), withIntermediateDirectories: true)
        let model = scratch.path("st/0_Transformer")
        try FileManager.default.copyItem(atPath: TinyModel.path("tiny-bert"), toPath: model)
        try write(modules, "st/modules.json")
        try write(["max_seq_length": 16], "st/0_Transformer/sentence_bert_config.json")
        try write(
            ["word_embedding_dimension": 48, "pooling_mode_cls_token": true],
            "st/1_Pooling/config.json")
        let checkpoint = try Checkpoint(model)
        let copy = scratch.path("copy")
        try HuggingFaceDirectory.write(checkpoint, like: checkpoint, to: copy)
        let listed = try JSONSerialization.jsonObject(
            with: Data(contentsOf: URL(fileURLWithPath: copy + "/modules.json")))
        let paths = (listed as? [[String: Any]])?.compactMap { $0["path"] as? String }
        #expect(paths == ["", "1_Pooling", "2_Normalize"])
        #expect(try read("copy/1_Pooling/config.json")["word_embedding_dimension"] as? Int == 48)
        #expect(try read("copy/sentence_bert_config.json")["max_seq_length"] as? Int == 16)
        let channels = Array(0..<36)
        try HuggingFaceDirectory.write(
            Outlined(checkpoint, channels: channels, feedForward: 8), like: checkpoint,
            channels: channels, to: copy)
        let pooling = try read("copy/1_Pooling/config.json")
        #expect(pooling["word_embedding_dimension"] as? Int == 36)
        #expect(pooling["pooling_mode_cls_token"] as? Bool == true)
        // Modules of a written model are written again.
        let again = try Checkpoint(copy)
        #expect(checkpoint.pooling.maximumTokens == 16 && again.pooling.maximumTokens == 16)
        try HuggingFaceDirectory.write(again, like: again, to: scratch.path("again"))
        #expect(
            try read("again/1_Pooling/config.json")["word_embedding_dimension"] as? Int == 36)
    }
}

/// A model with some of the channels, and fewer neurons in the first layer.
private struct Outlined: WeightSource {
    let dense: Checkpoint
    let channels: [Int]?
    let shape: ModelShape

    init(_ dense: Checkpoint, channels: [Int]?, feedForward: Int) {
        (self.dense, self.channels) = (dense, channels)
        var shape = dense.shape
        shape.hiddenSize = channels?.count ?? shape.hiddenSize
        shape.layers[0].feedForward = feedForward
        self.shape = shape
    }

    func embeddings() throws -> EmbeddingWeights {
        try dense.embeddings().selecting(channels: channels)
    }

    func head() throws -> HeadWeights { try dense.head().selecting(channels: channels) }

    func layer(_ index: Int) throws -> LayerWeights {
        var layer = try dense.layer(index)
        if let block = layer.feedForward {
            let kept = Array(0..<shape.layers[index].feedForward)
            layer.feedForward = FeedForwardWeights(
                gate: block.gate?.selecting(rows: kept), up: block.up.selecting(rows: kept),
                down: Projection(
                    weight: block.down.weight.selecting(columns: kept), bias: block.down.bias))
        }
        return layer.selecting(channels: channels)
    }
}
