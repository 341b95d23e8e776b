/// A JSON value.
///
/// Foundation's dictionaries compare keys up to canonical equivalence and so would merge distinct
/// tokens of a vocabulary; the members of an object here stay as they stand in the file.
enum JSON: Sendable {
    case null
    case boolean(Bool)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([(key: String, value: JSON)])
}

/// A value in a JSON file together with its path, which errors name.
struct JSONField {
    /// The file and the keys that lead to the value.
    let path: String

    /// The value; `null` where the field is missing.
    let value: JSON

    /// Whether the field is missing or `null`.
    var isNull: Bool {
        if case .null = value { true } else { false }
    }

    /// The member of an object under a key; `null` where there is none.
    subscript(key: String) -> JSONField {
        var member = JSON.null
        if case .object(let members) = value,
            let found = members.last(where: { $0.key == key })
        {
            member = found.value
        }
        return JSONField(path: "\(path): \(key)", value: member)
    }

    /// The error that this field does not hold what it should.
    func malformed(_ problem: String) -> TokenizerError {
        .malformed(field: path, problem: problem)
    }

    /// The elements of an array.
    func elements() throws(TokenizerError) -> [JSONField] {
        guard case .array(let values) = value else { throw malformed("expected an array") }
        return values.enumerated().map {
            JSONField(path: "\(path)[\($0.offset)]", value: $0.element)
        }
    }

    /// The members of an object, in the order of the file.
    func members() throws(TokenizerError) -> [(key: String, value: JSON)] {
        guard case .object(let members) = value else { throw malformed("expected an object") }
        return members
    }

    /// The text of a string.
    func string() throws(TokenizerError) -> String {
        guard case .string(let text) = value else { throw malformed("expected a string") }
        return text
    }

    /// A boolean, or the default where the field is missing.
    func boolean(default standard: Bool) throws(TokenizerError) -> Bool {
        if isNull { return standard }
        guard case .boolean(let flag) = value else { throw malformed("expected true or false") }
        return flag
    }

    /// A whole number from 0 to 2³¹ − 1.
    func integer() throws(TokenizerError) -> Int32 {
        guard case .number(let number) = value, let integer = Int32(exactly: number), integer >= 0
        else { throw malformed("expected a whole number from 0 to 2147483647") }
        return integer
    }

    /// Throws where the field holds anything but nothing: `null`, `false`, 0 or an empty string.
    func requireUnused() throws(TokenizerError) {
        switch value {
        case .null, .boolean(false), .number(0): return
        case .string(let text) where text.isEmpty: return
        default: throw .unsupported(field: path, value: "a value", supported: ["null"])
        }
    }
}
