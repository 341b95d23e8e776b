import Foundation
import Testing

@testable import Tokenizers

@Suite struct JSONFieldTests {
    private func parse(_ text: String) throws(TokenizerError) -> JSONField {
        try JSONField.root(of: Data(text.utf8), file: "file.json")
    }

    @Test("keys that are canonically equivalent are different keys")
    func exactKeys() throws {
        let vocabulary = try Vocabulary(try parse("{\"\u{E9}\":1,\"e\\u0301\":2}"), limit: .max)
        #expect(vocabulary.id(of: "\u{E9}") == 1)
        #expect(vocabulary.id(of: "e\u{301}") == 2)
    }

    @Test("escapes, numbers and nested values are read")
    func values() throws {
        let field = try parse(
            #" { "a" : [ "\"\\\/\b\f\n\r\t\u00e9\ud83c\udf33" , 12 , -0.5e1, true,null ] } "#)
        let values = try field["a"].elements()
        #expect(try values[0].string() == "\"\\/\u{8}\u{C}\n\r\té🌳")
        #expect(try values[1].integer() == 12)
        #expect(throws: TokenizerError.self) { try values[2].integer() }
        #expect(try values[3].boolean(default: false))
        #expect(values[4].isNull && field["b"].isNull)
    }

    @Test(
        "text that is not JSON gives an error",
        arguments: [
            "", "{", "[1,", "[1 2]", "{\"a\"}", "{\"a\":1,}", "{a:1}", "\"a", "\"\\x\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"", "\"\\u00g0\"", "\"\\u00\"", "tru", "nul", "1e999", "--1", "1.2.3",
            "[] []", "\"\u{1}\"",
            String(repeating: "[", count: 100_000),
        ])
    func refused(text: String) {
        #expect(throws: TokenizerError.self) { try parse(text) }
    }

    @Test("bytes that are not UTF-8 give an error")
    func invalidUTF8() {
        #expect(throws: TokenizerError.self) {
            try JSONField.root(of: Data([0x22, 0xFF, 0x22]), file: "file.json")
        }
    }

    @Test("written values can be read")
    func written() throws {
        let text = #"{"a\u0001\"\\":[1,-2.5,true,false,null,"é🌳"],"b":{}}"#
        #expect(String(decoding: try parse(text).value.encoded(), as: UTF8.self) == text)
    }
}
