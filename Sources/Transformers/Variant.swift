/// A variant that a component may become in pruning.
///
/// A variant is stored as its number of units. If later versions store more, such as the formats of
/// matrices, they must store an object. This version then refuses the file instead of misreading
/// it.
public struct Variant: Hashable, Sendable {
    /// The number of kept units; 0 if the branch is removed.
    public var units: Int

    /// Creates the variant that keeps a number of units.
    public init(units: Int) {
        self.units = units
    }

    /// The variant of a removed branch.
    public static let removed = Variant(units: 0)
}

extension Variant: Codable {
    /// Reads a number of units.
    ///
    /// - Parameter decoder: The decoder to read from.
    /// - Throws: `DecodingError` if the value is not an integer.
    public init(from decoder: any Decoder) throws {
        units = try decoder.singleValueContainer().decode(Int.self)
    }

    /// Writes the number of units.
    ///
    /// - Parameter encoder: The encoder to write to.
    /// - Throws: The errors of the encoder.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(units)
    }
}
