import Foundation
import Testing

@testable import Tokenizers

/// The folders with the data and the vocabularies that `scripts/make-tokenizer-fixtures` writes.
private let folders: (data: String, models: String)? = {
    let environment = ProcessInfo.processInfo.environment
    guard let data = environment["ESPALIER_DATA"], let models = environment["ESPALIER_MODELS"],
        FileManager.default.fileExists(atPath: "\(data)/wikitext2/test.txt"),
        FileManager.default.fileExists(atPath: "\(models)/minilm.json"),
        FileManager.default.fileExists(atPath: "\(models)/smollm2.json")
    else { return nil }
    return (data, models)
}()

@Suite(
    "Real vocabularies against the reference",
    .enabled(if: folders != nil, "set ESPALIER_DATA and ESPALIER_MODELS"))
struct RealVocabularyTests {
    @Test("WikiText-2 and the hard strings, id for id", arguments: ["minilm", "smollm2"])
    func identical(name: String) throws {
        let golden = try #require(try RealGolden.load()[name])
        let tokenizer = try load(name)
        for (file, expected) in golden.texts {
            let text = try read("\(try #require(folders).data)/wikitext2/\(file)")
            let ids = tokenizer.encode(
                String(decoding: text, as: UTF8.self), addingSpecialTokens: false)
            var digest = Digest()
            digest.add(ids)
            #expect(ids.count == expected.count, "\(file)")
            #expect(digest.text == expected.digest, "\(file)")
        }
        try expectAnswers(tokenizer, hard: golden.hard, random: golden.random, name)
    }

    @Test("the tokenizer.json written for a GGUF vocabulary has the same answers")
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
        let data = try read("\(try #require(folders).models)/\(name).json")
        if name == "minilm" { return try TokenizerFile.load(contentsOf: data) }
        return try JSONDecoder().decode(Metadata.self, from: data).tokenizer()
    }

    private func read(_ path: String) throws -> Data {
        try Data(contentsOf: URL(fileURLWithPath: path))
    }
}
