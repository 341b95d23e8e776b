import Foundation
import Testing

@testable import Tokenizers

@Suite("Byte pairs from GGUF metadata")
struct BytePairGGUFTests {
    private let tokens = ["<s>", "</s>", "<user>", "a", "b", "ab", "Ġ"]
    private let types = [3, 3, 4, 1, 1, 1, 1]

    private func make(
        types: [Int]?, merges: [String] = ["a b"], pre: String = "gpt-2", beginning: Int32? = 0,
        addsBeginning: Bool = false
    ) throws(TokenizerError) -> BytePairTokenizer {
        try BytePairTokenizer(
            tokens: tokens, tokenTypes: types, merges: merges, preTokenizer: pre,
            beginningOfText: beginning, endOfText: 1, addsBeginning: addsBeginning)
    }

    @Test("smollm gives the ids of the reference for all strings")
    func smollm() throws {
        let golden = try #require(try Golden.load()["smollm"])
        let json = try #require(
            try JSONSerialization.jsonObject(with: try fixture("smollm.json")) as? [String: Any])
        let model = try #require(json["model"] as? [String: Any])
        let vocabulary = try #require(model["vocab"] as? [String: Int])
        let tokens = vocabulary.sorted { $0.value < $1.value }.map(\.key)
        try #require(tokens.count == golden.size)
        let tokenizer = try BytePairTokenizer(
            tokens: tokens, tokenTypes: tokens.indices.map { $0 < 3 ? 3 : 1 },
            merges: try #require(model["merges"] as? [String]), preTokenizer: "smollm",
            beginningOfText: 1, endOfText: 2, addsBeginning: false)
        try expectAnswers(
            tokenizer, hard: golden.strings.map(\.digest), random: golden.random, "smollm")
    }

    @Test("only control and user-defined tokens are found in text")
    func addedTokens() throws {
        let text = "<s>ab<user>"
        let found = try make(types: types).encode(text, addingSpecialTokens: false)
        #expect(found == [0, 5, 2])
        #expect(try make(types: nil).encode(text, addingSpecialTokens: false) == [5])
    }

    @Test("the beginning-of-text token is added if the file requests it")
    func beginning() throws {
        let tokenizer = try make(types: types, addsBeginning: true)
        #expect(tokenizer.encode("ab", addingSpecialTokens: true) == [0, 5])
        #expect(tokenizer.encode("ab", addingSpecialTokens: false) == [5])
        #expect(tokenizer.encode("a", pair: "b").ids == [0, 3, 0, 4])
        let written = try TokenizerFile.load(
            contentsOf: tokenizer.huggingFaceJSON(),
            configuration: tokenizer.huggingFaceConfiguration(maximumLength: 8, chatTemplate: "{}"))
        #expect(written.encode("ab", addingSpecialTokens: true) == [0, 5])
        #expect(written.encode("a", pair: "b") == tokenizer.encode("a", pair: "b"))
        #expect(written.beginningOfText == 0 && written.endOfText == 1 && written.padding == nil)
        #expect(written.vocabularySize == 7)
    }

    @Test("the error for an unknown pre-tokenizer names it and the known ones")
    func unknown() {
        let error = #expect(throws: TokenizerError.self) { try make(types: types, pre: "tekken") }
        #expect(error?.description.contains("\"tekken\"") == true)
        #expect(error?.description.contains("default, gpt-2, llama-bpe, qwen2, smollm") == true)
    }

    @Test("contradictory values give an error")
    func contradictions() {
        #expect(throws: TokenizerError.self) { try make(types: [3]) }
        #expect(throws: TokenizerError.self) { try make(types: types, beginning: 7) }
        #expect(throws: TokenizerError.self) { try make(types: types, beginning: -1) }
        #expect(throws: TokenizerError.self) {
            try make(types: types, beginning: nil, addsBeginning: true)
        }
        for merge in ["", "ab", "a  b", "b a", "a c", " a", "a b c"] {
            #expect(throws: TokenizerError.self, "\(merge)") {
                try make(types: types, merges: [merge])
            }
        }
    }
}
