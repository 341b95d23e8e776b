/// The name of a member of a JSON object.
///
/// Strings of Swift are equal if they are canonically equivalent, which would merge distinct tokens
/// of a vocabulary. Keys are equal only if their UTF-8 is.
public struct JSONKey: Sendable, Hashable, Comparable, ExpressibleByStringLiteral {
    /// The name.
    public let text: String

    /// Takes a name.
    public init(_ text: String) { self.text = text }

    /// Takes a name.
    public init(stringLiteral text: String) { self.text = text }

    /// Whether the names have the same UTF-8.
    public static func == (left: JSONKey, right: JSONKey) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    /// Orders names as strings, and equivalent strings by their UTF-8.
    public static func < (left: JSONKey, right: JSONKey) -> Bool {
        left.text < right.text
            || left.text == right.text
                && left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    /// Feeds the name's UTF-8 to a hasher.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(Array(text.utf8))
    }
}
