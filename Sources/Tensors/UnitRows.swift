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
        /// The scales of int8 rows; empty for other precisions.
        var scales: [Float] = []
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
                if let scale = Self.store(values, in: precision, at: row) {
                    parts[index].scales.append(scale)
                }
            }
        }
        self.parts = parts
    }

    /// Stores a row and returns the scale of its integers.
    private static func store(
        _ values: [Float], in precision: Precision, at row: UnsafeMutableRawPointer
    ) -> Float? {
        switch precision {
        case .f32:
            row.assumingMemoryBound(to: Float.self).update(from: values, count: values.count)
        case .f16:
            // As in packed weights: times 64, and without subnormal values.
            let stored = values.map { abs(64 * $0) < 0x1p-14 ? 0 : 64 * $0 }
            ck_narrow_f16(row, stored, stored.count)
        case .bf16: ck_narrow_bf16(row, values, values.count)
        case .int8:
            let row = row.assumingMemoryBound(to: Int8.self)
            let scale = values.reduce(0) { max($0, abs($1)) } / 127
            let inverse = scale > 0 ? 1 / scale : 0
            for (place, value) in values.enumerated() {
                row[place] = Int8(max(-127, min(127, (value * inverse).rounded())))
            }
            return scale
        }
        return nil
    }

    /// The address of the first unit's row of a part, or of its value for an output.
    func address(of part: Part, fromOutput output: Int = 0) -> UnsafeRawPointer {
        UnsafeRawPointer(memory.floats.baseAddress!) + part.offset + output * precision.bits / 8
    }

    /// The factor of a stored value.
    func factor(of part: Part, unit: Int) -> Float {
        switch precision {
        case .f32, .bf16: 1
        case .f16: 0x1p106
        case .int8: part.scales[unit]
        }
    }
}
