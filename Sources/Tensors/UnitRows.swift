import CKernels

/// Weights that are stored unit by unit: for each unit the rows that lead to it, then the row that
/// leads from it.
///
/// Weights of units that are skipped need not be read.
public struct UnitRows: Sendable {
    /// The number of units.
    public let units: Int
    /// How weights are stored.
    public let precision: Precision
    /// The rows that lead to a unit, and last the row that leads from it.
    let parts: [Part]
    /// Bytes from one unit to the next: whole cache lines.
    let stride: Int

    private let memory: Memory

    /// One row of every unit.
    struct Part: Sendable {
        /// Values of a row.
        let width: Int
        /// Bytes from the beginning of a unit.
        let offset: Int
        /// What each unit's stored values are to be multiplied with.
        var factors: [Float] = []
    }

    /// Packs weights.
    ///
    /// - Parameters:
    ///   - incoming: What leads to units, each `[units, inputs]`.
    ///   - outgoing: What leads from them, `[outputs, units]`.
    ///   - precision: How to store them.
    public init(
        from incoming: [Matrix<Float>] = [], to outgoing: Matrix<Float>, precision: Precision
    ) {
        precondition(incoming.allSatisfy { $0.rows == outgoing.columns }, "as many units")
        let units = outgoing.columns
        self.units = units
        self.precision = precision
        var (parts, offset): ([Part], Int) = ([], 0)
        for width in incoming.map(\.columns) + [outgoing.rows] {
            parts.append(Part(width: width, offset: offset))
            offset += (width * precision.bits / 8 + 63) / 64 * 64
        }
        stride = offset
        memory = Memory(count: (offset * units + 3) / 4)
        let start = UnsafeMutableRawPointer(memory.floats.baseAddress!)
        for (index, part) in parts.enumerated() {
            for unit in 0..<units {
                let values =
                    index < incoming.count
                    ? Array(incoming[index].row(unit))
                    : (0..<outgoing.rows).map { outgoing.elements[$0 * units + unit] }
                let row = start + unit * offset + part.offset
                parts[index].factors.append(
                    precision.format.store_row(values, values.count, row))
            }
        }
        self.parts = parts
    }

    /// Where the first unit's row of a part begins, or its value for an output from there on.
    func address(of part: Part, fromOutput output: Int = 0) -> UnsafeRawPointer {
        UnsafeRawPointer(memory.floats.baseAddress!) + part.offset + output * precision.bits / 8
    }
}
