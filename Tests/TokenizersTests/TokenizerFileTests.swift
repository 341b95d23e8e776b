import Foundation
import Testing

@testable import Tokenizers

@Suite struct TokenizerFileTests {
    @Test("a tokenizer has the special tokens that the directory's configuration names")
    func directory() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("espalier-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try fixture("gpt2.json").write(to: folder.appendingPathComponent("tokenizer.json"))
        let file = folder.appendingPathComponent("tokenizer.json")
        #expect(try TokenizerFile.load(contentsOf: file).endOfText == nil)
        let configuration =
            #"{"bos_token":{"content":"<|im_start|>"},"eos_token":"<|im_end|>","pad_token":"?!"}"#
        try Data(configuration.utf8)
            .write(to: folder.appendingPathComponent("tokenizer_config.json"))
        let tokenizer = try TokenizerFile.load(contentsOf: folder)
        #expect(tokenizer.beginningOfText == 1)
        #expect(tokenizer.endOfText == 2)
        #expect(tokenizer.padding == nil)
    }

    @Test("BERT's special tokens need no configuration")
    func bert() throws {
        let tokenizer = try TokenizerFile.load(contentsOf: try fixture("word-piece.json"))
        #expect(tokenizer is WordPieceTokenizer)
        #expect(tokenizer.beginningOfText == 2)
        #expect(tokenizer.endOfText == 3)
        #expect(tokenizer.padding == 0)
        #expect(tokenizer.encode("", addingSpecialTokens: true) == [2, 3])
    }

    @Test("the error for a missing file names the file")
    func missing() {
        let error = #expect(throws: TokenizerError.self) {
            try TokenizerFile.load(contentsOf: URL(fileURLWithPath: "/nowhere/tokenizer.json"))
        }
        #expect(error?.description.contains("/nowhere/tokenizer.json") == true)
    }

    @Test(
        "an error names the file and the field",
        arguments: [
            (#""type":"BPE""#, #""type":"Unigram""#, "model: type: \"Unigram\""),
            (#""type":"ByteLevel""#, #""type":"Metaspace""#, "pre_tokenizer: \"Metaspace\""),
            (
                #""vocab":{"#, #""vocab":{"new":-1,"#,
                "model: vocab: \"new\": expected a whole number"
            ),
            (#""merges":["#, #""merges":["\u0000 q","#, "model: merges[0]"),
            (#""vocab":{"#, #""vocab":{"new":5,"#, "model: vocab: "),
            (
                #""byte_fallback":false"#, #""byte_fallback":true"#,
                "model: byte_fallback: true is not supported, only false; use"
            ),
            (#""dropout":null"#, #""dropout":0.1"#, "model: dropout: 0.1 is not supported, only 0"),
        ])
    func named(text: String, damage: String, expected: String) throws {
        let file = String(decoding: try fixture("gpt2.json"), as: UTF8.self)
        let range = try #require(file.range(of: text))
        let damaged = file.replacingCharacters(in: range, with: damage)
        let error = #expect(throws: TokenizerError.self) {
            try TokenizerFile.load(contentsOf: Data(damaged.utf8))
        }
        #expect(error?.description.contains("tokenizer.json: \(expected)") == true, "\(error!)")
    }

    @Test("an error quotes a pattern without control characters, and shortens it")
    func pattern() throws {
        let file = String(decoding: try fixture("llama3.json"), as: UTF8.self)
        let start = try #require(file.range(of: #""Regex":""#)).upperBound
        let end = try #require(file[start...].firstIndex(of: "\""))
        let long = String(repeating: "x", count: 5000)
        let damaged = file.replacingCharacters(in: start..<end, with: "\\u001b[2J\\n\(long)")
        let error = #expect(throws: TokenizerError.self) {
            try TokenizerFile.load(contentsOf: Data(damaged.utf8))
        }
        let text = try #require(error?.description)
        #expect(text.contains("Regex: \"\\u{1B}[2J\\nxxx") && text.contains("Llama 3"), "\(text)")
        #expect(text.count < 500 && !text.contains("\u{1B}") && !text.contains("\n"))
    }

    @Test(
        "decoding restores the encoded text if every byte has a token",
        arguments: ["gpt2", "llama3"])
    func roundTrip(name: String) throws {
        let tokenizer = try TokenizerFile.load(contentsOf: try fixture("\(name).json"))
        let strings = try Strings.load()
        for text in strings.random + strings.hard.map(\.whole) {
            let again = tokenizer.decode(tokenizer.encode(text, addingSpecialTokens: false))
            #expect(again.unicodeScalars.elementsEqual(text.unicodeScalars))
        }
    }
}
