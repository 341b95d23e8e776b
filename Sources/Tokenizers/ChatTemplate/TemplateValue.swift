import Foundation

/// A value in a chat template.
///
/// Truth, equality and text of a value follow the rules of Python.
enum TemplateValue {
    /// An undefined value, with the text of its expression.
    case undefined(String)
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    /// A list or a tuple.
    case list([TemplateValue])
    case mapping(TemplateMapping)
    case namespace(TemplateNamespace)
    /// A function that every template has.
    case function(String)
    /// A method of a value.
    indirect case method(TemplateValue, String)
    case macro(TemplateMacro)
}

/// A dictionary whose keys are strings.
///
/// It keeps the order of insertion.
struct TemplateMapping {
    private(set) var members: [(key: String, value: TemplateValue)] = []

    init(_ members: [(String, TemplateValue)] = []) {
        for (key, value) in members { self[key] = value }
    }

    /// Creates a dictionary from members whose keys are all different.
    ///
    /// The initializer does not check this.
    init(unique members: [(key: String, value: TemplateValue)]) {
        self.members = members
    }

    subscript(key: String) -> TemplateValue? {
        get { members.first { $0.key.hasSameScalars(as: key) }?.value }
        set {
            guard let newValue else { return }
            if let place = members.firstIndex(where: { $0.key.hasSameScalars(as: key) }) {
                members[place].value = newValue
            } else {
                members.append((key, newValue))
            }
        }
    }
}

/// The object that `namespace(…)` returns.
///
/// A `set` statement can change the members of the object, also inside a loop.
final class TemplateNamespace {
    var members: TemplateMapping

    init(_ members: TemplateMapping) {
        self.members = members
    }
}

extension String {
    /// Returns whether the texts have the same code points; canonical equivalents differ.
    func hasSameScalars(as other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}

extension TemplateValue {
    var isTrue: Bool {
        switch self {
        case .undefined, .null: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .number(let value): value != 0
        case .string(let text): !text.isEmpty
        case .list(let elements): !elements.isEmpty
        case .mapping(let mapping): !mapping.members.isEmpty
        case .namespace, .function, .method, .macro: true
        }
    }

    /// The name of the type, for errors.
    var kind: String {
        switch self {
        case .undefined(let name): "undefined '\(name)'"
        case .null: "none"
        case .bool: "a boolean"
        case .integer, .number: "a number"
        case .string: "a string"
        case .list: "a list"
        case .mapping: "a mapping"
        case .namespace: "a namespace"
        case .function, .method, .macro: "a function"
        }
    }

    /// The value as a number; booleans count as 0 and 1.
    var asNumber: Double? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The value as an integer; booleans count as 0 and 1.
    var asInteger: Int? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .integer(let value): value
        default: nil
        }
    }

    /// The text of the value, as Python's `str` writes it.
    var text: String {
        switch self {
        case .undefined: ""
        case .string(let text): text
        default: representation
        }
    }

    /// The text of the value, as Python's `repr` writes it.
    private var representation: String {
        switch self {
        case .undefined: "Undefined"
        case .null: "None"
        case .bool(let value): value ? "True" : "False"
        case .integer(let value): String(value)
        case .number(let value): value.pythonText
        case .string(let text): text.pythonRepresentation
        case .list(let elements): "[" + elements.map(\.representation).joined(separator: ", ") + "]"
        case .mapping(let mapping):
            "{"
                + mapping.members.map {
                    $0.key.pythonRepresentation + ": " + $0.value.representation
                }.joined(separator: ", ") + "}"
        case .namespace: "<namespace>"
        case .function(let name), .method(_, let name): "<function \(name)>"
        case .macro(let macro): "<macro \(macro.name)>"
        }
    }

    /// Returns whether the values are equal in Python.
    func equals(_ other: TemplateValue) -> Bool {
        if let left = asInteger, let right = other.asInteger { return left == right }
        if let left = asNumber, let right = other.asNumber { return left == right }
        switch (self, other) {
        case (.undefined, .undefined), (.null, .null): return true
        case (.string(let left), .string(let right)): return left.hasSameScalars(as: right)
        case (.list(let left), .list(let right)):
            return left.count == right.count && zip(left, right).allSatisfy { $0.equals($1) }
        case (.mapping(let left), .mapping(let right)):
            return left.members.count == right.members.count
                && left.members.allSatisfy { member in
                    right[member.key].map { $0.equals(member.value) } ?? false
                }
        case (.namespace(let left), .namespace(let right)): return left === right
        default: return false
        }
    }

    /// Returns the JSON text that Python's `json.dumps(value, ensure_ascii=False)` writes.
    ///
    /// The result is nil if JSON has no such value, for example for a function.
    ///
    /// `indent` is the number of spaces for each level, or nil for one line. `level` is the nesting
    /// of the value.
    func json(indent: Int? = nil, level: Int = 0) -> String? {
        func wrapped(_ open: String, _ items: [String?], _ close: String) -> String? {
            let known = items.compactMap(\.self)
            guard known.count == items.count else { return nil }
            guard let indent, !items.isEmpty else {
                return open + known.joined(separator: ", ") + close
            }
            let blanks = "\n" + String(repeating: " ", count: indent * level)
            let inner = blanks + String(repeating: " ", count: indent)
            return open + inner + known.joined(separator: "," + inner) + blanks + close
        }
        switch self {
        case .null: return "null"
        case .bool(let value): return value ? "true" : "false"
        case .integer(let value): return String(value)
        case .number(let value): return value.pythonText
        case .string(let text): return text.jsonText
        case .list(let elements):
            return wrapped("[", elements.map { $0.json(indent: indent, level: level + 1) }, "]")
        case .mapping(let mapping):
            let items = mapping.members.map { member in
                member.value.json(indent: indent, level: level + 1)
                    .map { member.key.jsonText + ": " + $0 }
            }
            return wrapped("{", items, "}")
        case .undefined, .namespace, .function, .method, .macro: return nil
        }
    }
}

extension Double {
    /// The text that Python's `repr` writes for the number, except that -0.0 becomes `0.0`.
    fileprivate var pythonText: String {
        self == rounded() && abs(self) < 1e16 ? String(Int(self)) + ".0" : "\(self)"
    }
}

extension String {
    fileprivate var pythonRepresentation: String {
        let quote: Unicode.Scalar =
            unicodeScalars.contains("'") && !unicodeScalars.contains("\"") ? "\"" : "'"
        var text = String(quote)
        for scalar in unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case quote: text += "\\\(quote)"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + String(quote)
    }

    fileprivate var jsonText: String {
        var text = "\""
        for scalar in unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{8}": text += "\\b"
            case "\u{c}": text += "\\f"
            case "\0"..<" ": text += String(format: "\\u%04x", Int(scalar.value))
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}
