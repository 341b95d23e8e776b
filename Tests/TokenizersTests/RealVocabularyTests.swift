import Foundation
import ModelFiles
import Testing

@testable import Tokenizers

private let environment = ProcessInfo.processInfo.environment

/// The models that `scripts/fetch-models` downloads.
private let models =
    (environment["ESPALIER_CACHE"] ?? NSHomeDirectory() + "/.cache/espalier") + "/models"

/// Whether to run tests on these models: if they exist, and always in CI, where missing models are
/// a failure.
private let areExpected =
    environment["CI"] != nil || FileManager.default.fileExists(atPath: models)

@Suite("Real vocabularies compared with the reference", .enabled(if: areExpected))
struct RealVocabularyTests {
    @Test("all ids of difficult strings agree", arguments: ["minilm", "smollm2"])
    func strings(name: String) throws {
        let golden = try #require(try RealGolden.load()[name])
        try expectAnswers(try load(name), hard: golden.hard, random: golden.random, name)
    }

    @Test(
        "all ids of WikiText-2 agree",
        .enabled(
            if: environment["ESPALIER_DATA"] != nil,
            "set ESPALIER_DATA to a folder with test.txt, valid.txt and wiki.test.raw in wikitext2"),
        arguments: ["minilm", "smollm2"])
    func texts(name: String) throws {
        let golden = try #require(try RealGolden.load()[name])
        let folder = try #require(environment["ESPALIER_DATA"])
        let tokenizer = try load(name)
        for (file, expected) in golden.texts {
            let text = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/wikitext2/\(file)"))
            let ids = tokenizer.encode(
                String(decoding: text, as: UTF8.self), addingSpecialTokens: false)
            var digest = Digest()
            digest.add(ids)
            #expect(ids.count == expected.count, "\(file)")
            #expect(digest.text == expected.digest, "\(file)")
        }
    }

    @Test("the tokenizer.json written for a GGUF vocabulary gives the same results")
    func written() throws {
        let golden = try #require(try RealGolden.load()["smollm2"])
        let tokenizer = try #require(try load("smollm2") as? BytePairTokenizer)
        let again = try TokenizerFile.load(
            contentsOf: tokenizer.huggingFaceJSON(),
            configuration: tokenizer.huggingFaceConfiguration())
        #expect(again.endOfText == tokenizer.endOfText)
        try expectAnswers(again, hard: golden.hard, random: golden.random, "smollm2")
    }

    private func load(_ name: String) throws -> any Tokenizer {
        if name == "minilm" {
            return try TokenizerFile.load(
                contentsOf: URL(fileURLWithPath: models + "/all-MiniLM-L6-v2"))
        }
        let file = try GGUFFile(path: models + "/SmolLM2-135M-Instruct.Q4_1.gguf")
        func id(_ key: String) throws -> Int32 {
            Int32(try file.integer("tokenizer.ggml.\(key)_token_id"))
        }
        return try BytePairTokenizer(
            tokens: file.strings("tokenizer.ggml.tokens"),
            tokenTypes: file.integers("tokenizer.ggml.token_type"),
            merges: file.strings("tokenizer.ggml.merges"),
            preTokenizer: file.string("tokenizer.ggml.pre"), beginningOfText: id("bos"),
            endOfText: id("eos"), padding: id("padding"), addsBeginning: false)
    }
}
