import CKernels

/// The weights around units, unit by unit: side by side what leads to it, row by row, and what it adds
/// to all outputs, so that the weights of units that do not take part need not be read.
public struct UnitRows: Sendable {
    /// How many units there are.
    public let units: Int
    /// How weights are stored.
    public let precision: Precision
    /// The rows that lead to a unit, and last the one that leads from it.
    let parts: [Part]
    /// Bytes from one unit to the next: whole cache lines.
    let stride: Int

    private let memory: Memory

    /// One row of every unit.
    struct Part: Sendable {
        /// Values of a row.
        let width: Int
        /// Bytes from where a unit begins.
        let offset: Int
        /// What the integers of a row are multiplied with; empty for other precisions.
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
            // As products take them: times 64, and none so small that digits are missing.
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

    /// Where the first unit's row of a part begins, or its value for an output from there on.
    func address(of part: Part, fromOutput output: Int = 0) -> UnsafeRawPointer {
        UnsafeRawPointer(memory.floats.baseAddress!) + part.offset + output * precision.bits / 8
    }

    /// What a stored value is to be multiplied with.
    func factor(of part: Part, unit: Int) -> Float {
        switch precision {
        case .f32, .bf16: 1
        case .f16: 0x1p106
        case .int8: part.scales[unit]
        }
    }
}
