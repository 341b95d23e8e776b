/// A recursive-descent parser of one JSON text (RFC 8259).
struct JSONParser {
    let bytes: [UInt8]
    let file: String
    private var position = 0
    private var depth = 0

    init(bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
    }

    /// Parses the single value of the text.
    mutating func document() throws(ModelFileError) -> JSONValue {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
        let value = try value()
        skipSpace()
        guard position == bytes.count else { throw fault("more text follows the JSON value") }
        return value
    }

    private mutating func value() throws(ModelFileError) -> JSONValue {
        skipSpace()
        switch peek {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func object() throws(ModelFileError) -> JSONValue {
        var members: [JSONKey: JSONValue] = [:]
        try enter()
        skipSpace()
        if skip("}") { return leave(.object([:])) }
        repeat {
            skipSpace()
            let key = try string()
            skipSpace()
            guard skip(":") else { throw fault("a colon is missing after \(quoted(key))") }
            guard members.updateValue(try value(), forKey: JSONKey(key)) == nil else {
                throw fault("\(quoted(key)) occurs twice")
            }
            skipSpace()
        } while skip(",")
        guard skip("}") else { throw fault("an object does not end") }
        return leave(.object(members))
    }

    private mutating func array() throws(ModelFileError) -> JSONValue {
        var elements: [JSONValue] = []
        try enter()
        skipSpace()
        if skip("]") { return leave(.array([])) }
        repeat {
            elements.append(try value())
            skipSpace()
        } while skip(",")
        guard skip("]") else { throw fault("an array does not end") }
        return leave(.array(elements))
    }

    private mutating func number() throws(ModelFileError) -> JSONValue {
        let start = position
        _ = skip("-")
        if !skip("0") { try digits() }
        var isInteger = true
        if skip(".") {
            isInteger = false
            try digits()
        }
        if skip("e") || skip("E") {
            isInteger = false
            if !skip("+") { _ = skip("-") }
            try digits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let value = Int(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else {
            throw fault("the number \(quoted(text)) is out of range")
        }
        return .number(value)
    }

    private mutating func digits() throws(ModelFileError) {
        let start = position
        while let byte = peek, UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte { position += 1 }
        guard position > start else { throw fault("a JSON value is missing") }
    }

    private mutating func string() throws(ModelFileError) -> String {
        guard skip("\"") else { throw fault("a string is missing") }
        var content: [UInt8] = []
        while let byte = peek, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw fault("a string has a control character") }
            position += 1
            if byte == UInt8(ascii: "\\") {
                content += Array(String(try escape()).utf8)
            } else {
                content.append(byte)
            }
        }
        guard skip("\"") else { throw fault("a string does not end") }
        guard let string = String(validating: content, as: UTF8.self) else {
            throw fault("a string is not UTF-8")
        }
        return string
    }

    /// Parses the rest of an escape sequence after the backslash.
    private mutating func escape() throws(ModelFileError) -> Unicode.Scalar {
        guard let byte = peek else { throw fault("a string does not end") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw fault("a string has an unknown escape")
        }
        var code = try codeUnit()
        if 0xD800..<0xDC00 ~= code, skip("\\"), skip("u") {
            let low = try codeUnit()
            guard 0xDC00..<0xE000 ~= low else { throw fault("a surrogate pair is incomplete") }
            code = 0x1_0000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else {
            throw fault("a surrogate pair is incomplete")
        }
        return scalar
    }

    /// Parses the four hexadecimal digits of a `\u` escape.
    private mutating func codeUnit() throws(ModelFileError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw fault("a string has an unknown escape")
            }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }

    private mutating func word(
        _ word: StaticString, _ value: JSONValue
    ) throws(ModelFileError) -> JSONValue {
        for byte in word.description.utf8 {
            guard peek == byte else { throw fault("a JSON value is missing") }
            position += 1
        }
        return value
    }

    private var peek: UInt8? {
        position < bytes.count ? bytes[position] : nil
    }

    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard let byte = peek, UInt32(byte) == character.value else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            position += 1
        }
    }

    private mutating func enter() throws(ModelFileError) {
        position += 1
        depth += 1
        guard depth <= 64 else { throw fault("the JSON is nested deeper than 64") }
    }

    private mutating func leave(_ value: JSONValue) -> JSONValue {
        depth -= 1
        return value
    }

    private func fault(_ problem: String) -> ModelFileError {
        ModelFileError(file: file, subject: "JSON at byte \(position)", problem: problem)
    }
}
