/// The name of a member of a JSON object.
///
/// Strings are equal up to canonical equivalence, which would merge distinct tokens of a
/// vocabulary; keys are equal only where their UTF-8 is.
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

    /// Orders names as strings and, where these are equivalent, by their UTF-8.
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
