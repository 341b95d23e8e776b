import Foundation
import ModelFiles
import Tensors
import Testing

@testable import Transformers

@Suite("Pooling")
struct PoolingTests {
    /// A row of one sequence, then the three rows of a second sequence.
    private let hidden = Activations(
        Matrix(rows: 4, columns: 2, elements: [9, 9, 1, 2, 3, -6, 5, 1]))

    /// The expected result of each mode for the last three rows.
    private static let wanted: [Pooling.Mode: [Double]] = [
        .cls: [1, 2], .max: [5, 2], .mean: [3, -1],
        .meanSqrtLength: [5.196152422706632, -1.7320508075688772],
        .weightedMean: [3.6666666666666665, -1.1666666666666667], .lastToken: [5, 1],
    ]

    @Test(
        "every mode gives the vector of Sentence Transformers and ignores other sequences",
        arguments: Pooling.Mode.allCases)
    func modes(mode: Pooling.Mode) throws {
        let wanted = try #require(Self.wanted[mode])
        let found = Pooling([mode]).vector(of: 1..<4, in: hidden)
        #expect(zip(found, wanted).allSatisfy { abs($0 - $1) < 1e-12 } && found.count == 2)
        #expect(Pooling([mode]).vector(of: 2..<3, in: hidden, channels: [1])[0] < 0)
    }

    @Test("the vectors of several modes are concatenated")
    func several() {
        let both = Pooling([.cls, .max])
        #expect(both.vector(of: 1..<4, in: hidden) == [1, 2, 5, 2])
        #expect(both.vector(of: 1..<4, in: hidden, channels: [1]) == [2, 2])
    }

    /// Returns the pooling of a Sentence Transformers directory.
    ///
    /// The encoder is in the directory itself or in its folder `weights`.
    private func pooling(
        modules: String?, config: String? = nil, folder: String = "1_Pooling", weights: String = ""
    ) throws -> Pooling {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("espalier-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        for made in [folder, weights] {
            try FileManager.default.createDirectory(
                atPath: directory + "/" + made, withIntermediateDirectories: true)
        }
        try modules?.write(
            toFile: directory + "/modules.json", atomically: true, encoding: .utf8)
        try config?.write(
            toFile: "\(directory)/\(folder)/config.json", atomically: true, encoding: .utf8)
        return try Pooling(inDirectory: directory + "/" + weights)
    }

    private func module(_ name: String, _ path: String) -> String {
        #"{"path": "\#(path)", "type": "sentence_transformers.models.\#(name)"}"#
    }

    @Test("the mode is read from old and new versions, and is the mean if absent")
    func reads() throws {
        let modules = "[\(module("Transformer", "")), \(module("Pooling", "1_Pooling"))]"
        for (config, modes) in [
            (#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#, [.cls]),
            (
                #"{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}"#,
                [.cls, .mean]
            ),
            (#"{"pooling_mode_weightedmean_tokens": true}"#, [.weightedMean]),
            (#"{"pooling_mode": "lasttoken", "embedding_dimension": 4}"#, [.lastToken]),
            (#"{"pooling_mode": ["max", "mean_sqrt_len_tokens"]}"#, [.max, .meanSqrtLength]),
            (#"{"word_embedding_dimension": 4}"#, [.mean]),
        ] as [(String, [Pooling.Mode])] {
            #expect(try pooling(modules: modules, config: config).modes == modes)
        }
        let cls = #"{"pooling_mode_cls_token": true}"#
        #expect(try pooling(modules: nil) == .mean)
        #expect(try pooling(modules: nil, config: cls).modes == [.cls])
        let apart = """
            [\(module("Transformer", "0_Transformer")), \(module("Pooling", "2_P")),
            \(module("Normalize", "3_Normalize"))]
            """
        let found = try pooling(
            modules: apart, config: cls, folder: "2_P", weights: "0_Transformer")
        #expect(found.modes == [.cls])
        // The list of modules in the parent directory belongs to another model.
        #expect(try pooling(modules: apart, config: cls, weights: "other") == .mean)
    }

    @Test("the error for an unsupported module names it and its file")
    func refuses() throws {
        let transformer = module("Transformer", "")
        let pool = module("Pooling", "1_Pooling")
        for (modules, config, parts) in [
            ("[\(transformer), \(pool), \(module("Dense", "2_Dense"))]", "{}", ["Dense"]),
            ("[\(module("CLIPModel", ""))]", "{}", ["CLIPModel"]), ("[]", "{}", ["no modules"]),
            ("{", "{}", ["modules.json"]), (#"[{"path": ""}]"#, "{}", ["modules[0]"]),
            (
                "[\(transformer), \(pool)]", #"{"pooling_mode": "attention"}"#,
                ["1_Pooling/config.json", "\"attention\"", "lasttoken"]
            ),
            (
                "[\(transformer), \(pool)]", #"{"pooling_mode_median_tokens": true}"#,
                ["pooling_mode_median_tokens"]
            ),
            ("[\(transformer), \(module("Pooling", "gone"))]", "{}", ["gone/config.json"]),
        ] {
            let error = #expect(throws: ModelFileError.self) {
                try pooling(modules: modules, config: config)
            }
            for part in parts { #expect(error?.description.contains(part) == true, "\(part)") }
        }
    }

    /// Returns the maximum number of tokens of a directory with a file of settings.
    private func maximumTokens(_ settings: String?, in file: String) throws -> Int? {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("espalier-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try FileManager.default.copyItem(atPath: Fixture.path("tiny-bert"), toPath: directory)
        try settings?.write(
            toFile: directory + "/" + file, atomically: true, encoding: .utf8)
        return try Model(Checkpoint(directory)).keeping(layers: [0]).pooling.maximumTokens
    }

    @Test("the maximum number of tokens is read if a file states it, and limits a length")
    func readsMaximumTokens() throws {
        let file = "sentence_bert_config.json"
        for (settings, tokens) in [
            (nil, nil), ("{}", nil), (#"{"max_seq_length": null}"#, nil),
            (#"{"max_seq_length": 24, "do_lower_case": false}"#, 24),
        ] as [(String?, Int?)] {
            #expect(try maximumTokens(settings, in: file) == tokens)
        }
        let other = "sentence_xlm-roberta_config.json"
        #expect(try maximumTokens(#"{"max_seq_length": 1}"#, in: other) == 1)
        var pooling = Pooling.mean
        #expect(pooling.length(within: 512) == 512)
        pooling.maximumTokens = 256
        #expect(pooling.length(within: 512) == 256 && pooling.length(within: 128) == 128)
    }

    @Test(
        "a maximum number of tokens that is not a positive whole number gives an error",
        arguments: ["0", "-1", "1.5", #""256""#, "true", "[16]"])
    func refusesMaximumTokens(value: String) throws {
        let error = #expect(throws: ModelFileError.self) {
            try maximumTokens("{\"max_seq_length\": \(value)}", in: "sentence_bert_config.json")
        }
        for part in ["sentence_bert_config.json", "max_seq_length", value] {
            #expect(error?.description.contains(part) == true, "\(part)")
        }
    }

    @Test("a pruned or changed model pools as its directory says")
    func models() throws {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("espalier-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try FileManager.default.copyItem(atPath: Fixture.path("tiny-bert"), toPath: directory)
        try FileManager.default.createDirectory(
            atPath: directory + "/1_Pooling", withIntermediateDirectories: true)
        try #"{"pooling_mode_max_tokens": true}"#.write(
            toFile: directory + "/1_Pooling/config.json", atomically: true, encoding: .utf8)
        let checkpoint = try Checkpoint(directory)
        let model = try Model(checkpoint)
        #expect(model.pooling.modes == [.max] && model.keeping(layers: [0]).pooling.modes == [.max])
        #expect(try Model(embeddingsOf: checkpoint).pooling.modes == [.max])
        let changed = model.replacing(
            layer: 0, with: try checkpoint.layer(0), sizes: checkpoint.shape.layers[0])
        #expect(changed.pooling.modes == [.max])
    }
}
