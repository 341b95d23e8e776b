/// What a component may become.
///
/// A variant is written as the bare number of its units. Whatever else a variant comes to say, such as
/// the formats of its matrices, has to be written as an object: this version then refuses the file
/// and does not misread it.
public struct Variant: Hashable, Sendable {
    /// The units kept; 0 where the whole branch is removed.
    public var units: Int

    /// Creates the variant that keeps some units.
    public init(units: Int) {
        self.units = units
    }

    /// The branch removed.
    public static let removed = Variant(units: 0)
}

extension Variant: Codable {
    /// Reads a number of units.
    ///
    /// - Parameter decoder: Where from.
    /// - Throws: `DecodingError` for anything but an integer.
    public init(from decoder: any Decoder) throws {
        units = try decoder.singleValueContainer().decode(Int.self)
    }

    /// Writes the number of units.
    ///
    /// - Parameter encoder: Where to.
    /// - Throws: What the encoder throws.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(units)
    }
}
