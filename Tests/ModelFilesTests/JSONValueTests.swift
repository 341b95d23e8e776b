import Testing

@testable import ModelFiles

@Suite("JSONValue") struct JSONValueTests {
    private func parse(_ text: String) throws -> JSONValue {
        try JSONValue(parsing: Array(text.utf8), file: "test")
    }

    @Test("every kind of value is read")
    func values() throws {
        let text =
            #" {"a": [1, -0.5, 1e3, true, false, null, "x\u00e9\ud83e\udd8a\n\/"], "b": {}} "#
        let want: JSONValue = .object([
            "a": .array([
                .integer(1), .number(-0.5), .number(1000), .bool(true), .bool(false), .null,
                .string("xé🦊\n/"),
            ]),
            "b": .object([:]),
        ])
        #expect(try parse(text) == want)
        #expect(try parse("9223372036854775808") == .number(0x1p63))
        #expect(try parse("-9223372036854775808") == .integer(.min))
    }

    @Test("keys that are canonically equivalent are different keys")
    func exactKeys() throws {
        let value = try parse("{\"\u{E9}\":1,\"e\u{301}\":2}")
        #expect(value == .object(["\u{E9}": .integer(1), "e\u{301}": .integer(2)]))
        #expect(String(decoding: value.encoded(), as: UTF8.self) == "{\"e\u{301}\":2,\"\u{E9}\":1}")
    }

    @Test(
        "text that is not JSON gives an error",
        arguments: [
            "", " ", "{", "[1,]", "[1 2]", #"{"a" 1}"#, #"{"a":1,}"#, #"{"a":1,"a":2}"#, "01", "1.",
            ".5", "1e", "-", "+1", "nul", "truex", "NaN", "1e999", "\"", #""\x""#, #""\ud800""#,
            #""\udc00""#, #""\ud800\u0041""#, #""\u12G4""#, "\"\n\"", "1 2", "{1:2}", "]",
        ])
    func refuses(text: String) {
        #expect(throws: ModelFileError.self) { try parse(text) }
    }

    @Test("bytes that are not UTF-8 give an error")
    func encoding() {
        for bytes: [UInt8] in [
            [0x22, 0xFF, 0x22], [0x22, 0xC3, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
        ] {
            #expect(throws: ModelFileError.self) { try JSONValue(parsing: bytes, file: "test") }
        }
    }

    @Test("deep nesting gives an error, and moderate nesting is read")
    func nesting() throws {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: ModelFileError.self) { try parse(deep) }
        _ = try parse(String(repeating: "[", count: 64) + String(repeating: "]", count: 64))
    }

    @Test("keys are written in order, and the written text is read as the same value")
    func writes() throws {
        let value: JSONValue = .object([
            "b": .array([.integer(1), .number(1e-12), .null]), "a": .string("é\"\\\u{1}\n🦊"),
            "c": .object([:]), "d": .array([]), "e": .number(10_000),
        ])
        let compact = String(decoding: value.encoded(), as: UTF8.self)
        #expect(
            compact == #"{"a":"é\"\\\u0001\n🦊","b":[1,1e-12,null],"c":{},"d":[],"e":10000.0}"#)
        let indented = String(decoding: value.encoded(indented: true), as: UTF8.self)
        #expect(indented.contains("\n  \"b\": [\n    1,\n    1e-12,\n    null\n  ],\n  \"c\": {},"))
        #expect(try parse(compact) == value)
        #expect(try parse(indented) == value)
    }
}
