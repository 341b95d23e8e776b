/// A JSON value that distinguishes integers from other numbers.
public enum JSONValue: Sendable, Hashable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number without fraction or exponent that fits in an `Int`.
    case integer(Int)
    /// Any other number; it is finite.
    case number(Double)
    /// A string.
    case string(String)
    /// An array.
    case array([JSONValue])
    /// An object.
    case object([JSONKey: JSONValue])

    /// Parses one complete JSON text (RFC 8259), in which keys must not be repeated.
    ///
    /// - Parameters:
    ///   - bytes: UTF-8, nested at most 64 levels deep; a byte-order mark at the start is skipped.
    ///   - file: The file of the text, for error messages.
    /// - Throws: ``ModelFileError`` with the position of the first fault.
    public init(parsing bytes: [UInt8], file: String) throws(ModelFileError) {
        if let pointer = ForeignFile(pointer: bytes) {
            throw ModelFileError(file: file, problem: pointer.kind, remedy: pointer.remedy)
        }
        var parser = JSONParser(bytes: bytes, file: file)
        self = try parser.document()
    }

    /// Returns an object whose members are all strings.
    public static func object(ofStrings members: [String: String]) -> JSONValue {
        .object(Dictionary(uniqueKeysWithValues: members.map { (JSONKey($0), .string($1)) }))
    }

    /// Returns the JSON text with sorted keys; equal values give equal bytes.
    ///
    /// - Parameter indented: Whether to write two spaces per level and one member per line.
    ///   Otherwise there is no white space.
    /// - Returns: JSON in UTF-8.
    public func encoded(indented: Bool = false) -> [UInt8] {
        var text = ""
        write(to: &text, newline: indented ? "\n" : nil)
        return Array(text.utf8)
    }

    /// The members if the value is an object; otherwise nil.
    public var object: [JSONKey: JSONValue]? {
        if case .object(let members) = self { members } else { nil }
    }

    /// The elements if the value is an array; otherwise nil.
    public var array: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The string if the value is a string; otherwise nil.
    public var string: String? {
        if case .string(let string) = self { string } else { nil }
    }

    /// The integer if the value is an integer; otherwise nil.
    public var integer: Int? {
        if case .integer(let integer) = self { integer } else { nil }
    }
}

extension JSONValue {
    /// Appends the text; `newline` is a line break with the indentation, or nil.
    private func write(to text: inout String, newline: String?) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        case .number(let value): text += String(value)
        case .string(let value): Self.write(value, to: &text)
        case .array(let elements):
            Self.write(elements, to: &text, "[", "]", newline) { element, text, inner in
                element.write(to: &text, newline: inner)
            }
        case .object(let members):
            let sorted = members.sorted { $0.key < $1.key }
            Self.write(sorted, to: &text, "{", "}", newline) { member, text, inner in
                Self.write(member.key.text, to: &text)
                text += inner == nil ? ":" : ": "
                member.value.write(to: &text, newline: inner)
            }
        }
    }

    /// Appends a bracketed list.
    private static func write<Item>(
        _ items: [Item], to text: inout String, _ open: String, _ close: String,
        _ newline: String?, item: (Item, inout String, String?) -> Void
    ) {
        let inner = newline.map { $0 + "  " }
        text += open
        for (index, value) in items.enumerated() {
            text += (index == 0 ? "" : ",") + (inner ?? "")
            item(value, &text, inner)
        }
        text += (items.isEmpty ? "" : newline ?? "") + close
    }

    /// Appends a quoted string.
    private static func write(_ string: String, to text: inout String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\t": text += "\\t"
            case "\u{0}"..<"\u{20}":
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}

extension JSONValue {
    /// The value's JSON, shortened and escaped for printing.
    public var excerpt: String {
        let text = String(decoding: encoded(), as: UTF8.self)
        let printable = text.unicodeScalars.prefix(60).map { $0.escaped(asASCII: false) }.joined()
            .replacing("\\\"", with: "\"")
        return text.unicodeScalars.count > 60 ? printable + "…" : printable
    }
}
