public import Tensors

/// A choice for one component: the number of units that it keeps, and optionally its format.
///
/// A variant without a format is stored as its number of units. A variant with a format is stored
/// as an object.
public struct Variant: Hashable, Sendable {
    /// The number of kept units; 0 if the component is removed.
    public var units: Int
    /// The format of the component's matrices; nil if the component has no format of its own.
    ///
    /// ``Formats/init(of:otherwise:)`` gives such a component the format of the output head.
    public var format: Precision?

    /// Creates a variant.
    ///
    /// - Parameters:
    ///   - units: The number of kept units.
    ///   - format: The format of the component's matrices; nil if it has no format of its own.
    public init(units: Int, format: Precision? = nil) {
        (self.units, self.format) = (units, format)
    }

    /// The variant of a removed component.
    public static let removed = Variant(units: 0)

    /// Whether the component is removed.
    public var isRemoved: Bool { units == 0 }
}

extension Variant: Comparable {
    /// Orders variants by their units; variants of equal units by format, the component's own first.
    public static func < (left: Variant, right: Variant) -> Bool {
        (left.units, left.formatRank) < (right.units, right.formatRank)
    }

    private var formatRank: Int {
        format.flatMap { Precision.allCases.firstIndex(of: $0) } ?? -1
    }
}

extension Variant: Codable {
    private enum CodingKeys: CodingKey {
        case units, format
    }

    /// Reads a number of units, or an object of units and a format.
    ///
    /// - Parameter decoder: The decoder to read from.
    /// - Throws: `DecodingError` if the value is neither.
    public init(from decoder: any Decoder) throws {
        if let units = try? decoder.singleValueContainer().decode(Int.self) {
            self.init(units: units)
        } else {
            let object = try decoder.container(keyedBy: CodingKeys.self)
            self.init(
                units: try object.decode(Int.self, forKey: .units),
                format: try object.decode(Precision.self, forKey: .format))
        }
    }

    /// Writes the number of units, or an object of units and a format.
    ///
    /// - Parameter encoder: The encoder to write to.
    /// - Throws: The errors of the encoder.
    public func encode(to encoder: any Encoder) throws {
        guard let format else {
            var value = encoder.singleValueContainer()
            return try value.encode(units)
        }
        var object = encoder.container(keyedBy: CodingKeys.self)
        try object.encode(units, forKey: .units)
        try object.encode(format, forKey: .format)
    }
}
