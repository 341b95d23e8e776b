import CKernels

/// Weights that are stored unit by unit: the incoming rows of a unit, then its outgoing row.
///
/// The weights of skipped units are not read.
public struct UnitRows: Sendable {
    /// The number of units.
    public let units: Int
    /// The precision of the stored weights: `f32`, `f16`, `bf16` or `int8`.
    public let precision: Precision
    /// The incoming rows of a unit, then its outgoing row.
    let parts: [Part]
    /// The number of bytes from one unit to the next, a multiple of the cache line.
    let stride: Int

    private let memory: Memory
    private let valueBytes: Int

    /// One row of every unit.
    struct Part: Sendable {
        /// The number of values of a row.
        let width: Int
        /// The number of bytes from the beginning of a unit.
        let offset: Int
        /// The factor of each unit's stored values.
        var factors: [Float] = []
    }

    /// Packs weights.
    ///
    /// - Parameters:
    ///   - incoming: The incoming weights, each `[units, inputs]`.
    ///   - outgoing: The outgoing weights, `[outputs, units]`.
    ///   - precision: The precision of the weights. Rows of `int4` are stored in `int8`, because
    ///     groups of 32 inputs would not fit rows of units.
    public init(
        from incoming: [Matrix<Float>] = [], to outgoing: Matrix<Float>, precision: Precision
    ) {
        precondition(
            incoming.allSatisfy { $0.rows == outgoing.columns },
            "all weights must have the same number of units")
        let units = outgoing.columns
        self.units = units
        let precision = precision == .int4 ? .int8 : precision
        self.precision = precision
        valueBytes = Int(precision.bits) / 8
        var (parts, offset): ([Part], Int) = ([], 0)
        for width in incoming.map(\.columns) + [outgoing.rows] {
            parts.append(Part(width: width, offset: offset))
            offset += (width * valueBytes + 63) / 64 * 64
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

    /// The address of the first unit's row in `part`, at the value with index `output`.
    func address(of part: Part, fromOutput output: Int = 0) -> UnsafeRawPointer {
        UnsafeRawPointer(memory.floats.baseAddress!) + part.offset + output * valueBytes
    }
}
