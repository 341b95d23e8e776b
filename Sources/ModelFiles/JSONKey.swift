/// The name of a member of a JSON object.
///
/// Swift strings are equal if they are canonically equivalent, which would merge distinct tokens of
/// a vocabulary. Keys are equal only if their UTF-8 is equal.
public struct JSONKey: Sendable, Hashable, Comparable, ExpressibleByStringLiteral {
    /// The name.
    public let text: String

    /// Creates a key from a name.
    public init(_ text: String) { self.text = text }

    /// Creates a key from a literal.
    public init(stringLiteral text: String) { self.text = text }

    /// Returns whether the names have the same UTF-8.
    public static func == (left: JSONKey, right: JSONKey) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    /// Orders names as strings, and equivalent strings by their UTF-8.
    public static func < (left: JSONKey, right: JSONKey) -> Bool {
        left.text < right.text
            || left.text == right.text
                && left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    /// Hashes the name's UTF-8.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(Array(text.utf8))
    }
}
