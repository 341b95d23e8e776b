import Foundation
import Testing

@testable import Tokenizers

@Suite("Small vocabularies compared with the reference")
struct GoldenTests {
    static let names = [
        "word-piece", "word-piece-cased", "gpt2", "prefix-space", "smollm", "llama3", "qwen2",
        "bloom",
    ]

    @Test("ids, templates and decoded text agree for every string", arguments: names)
    func strings(name: String) throws {
        let golden = try #require(try Golden.load()[name])
        let tokenizer = try TokenizerFile.load(contentsOf: try fixture("\(name).json"))
        #expect(tokenizer.vocabularySize == golden.size)
        for (string, entry) in zip(try Strings.load().hard, golden.strings) {
            let ids = tokenizer.encode(string.whole, addingSpecialTokens: false)
            #expect(Array(ids.prefix(16)) == entry.ids, "\(string.text.debugDescription)")
            #expect(ids.count == entry.count, "\(string.text.debugDescription)")
        }
        try expectAnswers(
            tokenizer, hard: golden.strings.map(\.digest), random: golden.random, name)
    }

    @Test("pairs agree with their token type ids", arguments: names)
    func pairs(name: String) throws {
        let golden = try #require(try Golden.load()[name])
        let tokenizer = try TokenizerFile.load(contentsOf: try fixture("\(name).json"))
        let strings = try Strings.load().hard
        for (index, expected) in golden.pairs.enumerated() {
            let pair = tokenizer.encode(strings[index].whole, pair: strings[index + 1].whole)
            var digest = Digest()
            digest.add(pair.ids)
            digest.add([-1])
            digest.add(pair.typeIDs)
            #expect(digest.text == expected, "pair \(index): \(pair)")
        }
    }

    @Test("the decoded text of random ids agrees, also if it is not UTF-8", arguments: names)
    func decoding(name: String) throws {
        let golden = try #require(try Golden.load()[name])
        let tokenizer = try TokenizerFile.load(contentsOf: try fixture("\(name).json"))
        var state = 1
        for expected in golden.decoded {
            let ids = (0..<12).map { _ in
                state = (state * 1_103_515_245 + 12345) % (1 << 31)
                return Int32((state >> 8) % golden.size)
            }
            let text = tokenizer.decode(ids)
            var digest = Digest()
            digest.add(text.utf8.map { Int32($0) })
            #expect(digest.text == expected, "\(ids): \(text.debugDescription)")
        }
    }

    @Test(
        "the written tokenizer.json gives the same results",
        arguments: ["gpt2", "prefix-space", "smollm", "llama3", "qwen2", "bloom"])
    func written(name: String) throws {
        let golden = try #require(try Golden.load()[name])
        let read = try TokenizerFile.load(contentsOf: try fixture("\(name).json"))
        let tokenizer = try #require(read as? BytePairTokenizer)
        let again = try TokenizerFile.load(
            contentsOf: tokenizer.huggingFaceJSON(),
            configuration: tokenizer.huggingFaceConfiguration())
        #expect(again.beginningOfText == tokenizer.beginningOfText)
        try expectAnswers(again, hard: golden.strings.map(\.digest), random: golden.random, name)
    }
}
