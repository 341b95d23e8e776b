import Foundation
import ModelFiles

/// A value in a JSON file with its path, which error messages name.
struct JSONField {
    /// The file and the keys that lead to the value.
    let path: String

    /// The value; `null` if the field is absent.
    let value: JSONValue

    /// Whether the field is absent or `null`.
    var isNull: Bool { value == .null }

    /// Returns the member of an object with a key; `null` if absent.
    subscript(key: String) -> JSONField {
        JSONField(path: "\(path): \(key)", value: value.object?[JSONKey(key)] ?? .null)
    }

    /// Parses a complete file; `file` is its name in error messages.
    static func root(of data: Data, file: String) throws(TokenizerError) -> JSONField {
        do {
            return JSONField(path: file, value: try JSONValue(parsing: [UInt8](data), file: file))
        } catch {
            let place = error.subject.map { ": \($0)" } ?? ""
            throw .malformed(field: file + place, problem: error.problem)
        }
    }

    /// Returns the error for a field with a wrong value.
    func malformed(_ problem: String) -> TokenizerError {
        .malformed(field: path, problem: problem)
    }

    /// Returns the elements of an array.
    func elements() throws(TokenizerError) -> [JSONField] {
        guard let values = value.array else { throw malformed("expected an array") }
        return values.enumerated().map {
            JSONField(path: "\(path)[\($0.offset)]", value: $0.element)
        }
    }

    /// Returns the members of an object.
    func members() throws(TokenizerError) -> [JSONKey: JSONValue] {
        guard let members = value.object else { throw malformed("expected an object") }
        return members
    }

    /// Returns the text of a string.
    func string() throws(TokenizerError) -> String {
        guard let text = value.string else { throw malformed("expected a string") }
        return text
    }

    /// Returns a boolean, or the default if the field is absent.
    func boolean(default standard: Bool) throws(TokenizerError) -> Bool {
        if isNull { return standard }
        guard case .bool(let flag) = value else { throw malformed("expected true or false") }
        return flag
    }

    /// Returns a whole number from 0 to 2³¹ − 1.
    func integer() throws(TokenizerError) -> Int32 {
        guard let integer = value.integer.flatMap(Int32.init(exactly:)), integer >= 0 else {
            throw malformed("expected a whole number from 0 to 2147483647")
        }
        return integer
    }

    /// The shortened JSON of the value, for error messages.
    var shown: String {
        if let text = value.string { return quoted(text) }
        let json = String(decoding: value.encoded(), as: UTF8.self)
        return json.count > 60 ? json.prefix(60) + "…" : json
    }

    /// Throws unless the field is empty: `null`, `false`, 0 or an empty string.
    func requireUnused() throws(TokenizerError) {
        switch value {
        case .null, .bool(false), .integer(0), .number(0): return
        case .string(let text) where text.isEmpty: return
        case .bool: throw .unsupported(field: path, value: shown, supported: ["false"])
        case .integer, .number: throw .unsupported(field: path, value: shown, supported: ["0"])
        default: throw .unsupported(field: path, value: shown, supported: ["null"])
        }
    }
}
