/// The order in which a layer's units are removed, and the error of every level.
public struct RemovalOrder: Codable, Sendable, Equatable {
    /// The indices of the units, in the order of removal.
    public let order: [Int]

    /// The squared output error by number of kept units, `order.count + 1` values.
    ///
    /// The first error is the error of removing every unit. The last error is 0.
    public let errors: [Double]

    /// Creates an order from the units and the error that each removal added, in order of removal.
    init(order: [Int], increases: [Double]) {
        var errors = [0.0]
        for increase in increases { errors.append(errors[errors.count - 1] + increase) }
        self.order = order
        self.errors = errors.reversed()
    }

    /// The units that remain at a level, ascending.
    ///
    /// - Precondition: `0 <= level <= order.count`.
    public func kept(_ level: Int) -> [Int] {
        order.suffix(level).sorted()
    }

    private enum CodingKeys: String, CodingKey {
        case order
        case errors
    }

    /// Reads an order.
    ///
    /// - Parameter decoder: The decoder to read from.
    /// - Throws: `DecodingError` unless every unit occurs once, every level has one error, and the
    ///   last error is 0.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        order = try values.decode([Int].self, forKey: .order)
        errors = try values.decode([Double].self, forKey: .errors)
        guard Set(order) == Set(order.indices) else {
            throw DecodingError.dataCorruptedError(
                forKey: .order, in: values,
                debugDescription: "the removal order does not name every unit once")
        }
        guard errors.count == order.count + 1, errors[order.count] == 0 else {
            throw DecodingError.dataCorruptedError(
                forKey: .errors, in: values,
                debugDescription: "a removal order of \(order.count) units needs one error for "
                    + "each of \(order.count + 1) levels, the last 0")
        }
    }
}
