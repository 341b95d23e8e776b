import Foundation

/// A strict JSON reader (RFC 8259) that keeps every string's exact scalars.
struct JSONParser {
    private let file: String
    private let bytes: [UInt8]
    private var position = 0

    private init(file: String, bytes: [UInt8]) {
        self.file = file
        self.bytes = bytes
    }

    /// Returns the value of a whole file; `file` is its name in errors.
    static func parse(_ data: Data, file: String) throws(TokenizerError) -> JSONField {
        var parser = JSONParser(file: file, bytes: [UInt8](data))
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.position == parser.bytes.count else { throw parser.malformed("end of file") }
        return JSONField(path: file, value: value)
    }

    private func malformed(_ expected: String) -> TokenizerError {
        .malformed(field: "\(file): byte \(position)", problem: "expected \(expected)")
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            position += 1
        }
    }

    private mutating func skip(_ character: Character) -> Bool {
        skipSpace()
        guard next == character.asciiValue else { return false }
        position += 1
        return true
    }

    private mutating func value(depth: Int) throws(TokenizerError) -> JSON {
        guard depth < 64 else { throw malformed("at most 64 nested values") }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .boolean(true))
        case UInt8(ascii: "f"): return try literal("false", .boolean(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: return try number()
        }
    }

    private mutating func literal(_ word: String, _ value: JSON) throws(TokenizerError) -> JSON {
        guard bytes[position...].starts(with: word.utf8) else { throw malformed(word) }
        position += word.utf8.count
        return value
    }

    private mutating func number() throws(TokenizerError) -> JSON {
        let start = position
        while let byte = next, "+-.0123456789Ee".utf8.contains(byte) { position += 1 }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        guard let number = Double(text), number.isFinite else {
            position = start
            throw malformed("a value")
        }
        return .number(number)
    }

    private mutating func array(depth: Int) throws(TokenizerError) -> JSON {
        position += 1
        var elements: [JSON] = []
        if skip("]") { return .array(elements) }
        repeat { elements.append(try value(depth: depth + 1)) } while skip(",")
        guard skip("]") else { throw malformed("\",\" or \"]\"") }
        return .array(elements)
    }

    private mutating func object(depth: Int) throws(TokenizerError) -> JSON {
        position += 1
        var members: [(key: String, value: JSON)] = []
        if skip("}") { return .object(members) }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw malformed("a key") }
            let key = try string()
            guard skip(":") else { throw malformed("\":\"") }
            members.append((key, try value(depth: depth + 1)))
        } while skip(",")
        guard skip("}") else { throw malformed("\",\" or \"}\"") }
        return .object(members)
    }

    private mutating func string() throws(TokenizerError) -> String {
        let start = position
        position += 1
        var text: [UInt8] = []
        while let byte = next, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw malformed("no control character in a string") }
            position += 1
            if byte == UInt8(ascii: "\\") {
                text += String(try escape()).utf8
            } else {
                text.append(byte)
            }
        }
        guard next != nil else { throw malformed("the end of a string") }
        position += 1
        guard let string = String(validating: text, as: UTF8.self) else {
            position = start
            throw malformed("a string in UTF-8")
        }
        return string
    }

    private mutating func escape() throws(TokenizerError) -> Unicode.Scalar {
        guard let letter = next else { throw malformed("an escape") }
        position += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
            return Unicode.Scalar(letter)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicodeEscape()
        default: throw malformed("an escape")
        }
    }

    private mutating func unicodeEscape() throws(TokenizerError) -> Unicode.Scalar {
        let unit = try hexadecimal()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        guard unit < 0xDC00, bytes[position...].starts(with: "\\u".utf8) else {
            throw malformed("a pair of surrogates")
        }
        position += 2
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low),
            let scalar = Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
        else { throw malformed("a pair of surrogates") }
        return scalar
    }

    private mutating func hexadecimal() throws(TokenizerError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue,
                byte < 0x80
            else { throw malformed("a hexadecimal digit") }
            value = value << 4 + UInt32(digit)
            position += 1
        }
        return value
    }
}
