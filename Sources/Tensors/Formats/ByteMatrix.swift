/// A matrix in 8 bits with a scale for each row, stored row by row to be looked up.
///
/// An element is its code, from -127 to 127, times the scale of its row.
public struct ByteMatrix: Sendable, Equatable {
    /// The number of rows.
    public let rows: Int
    /// The number of columns.
    public let columns: Int
    /// The codes, row by row.
    private let codes: [Int8]
    /// The scale of each row.
    private let scales: [Float]

    /// Rounds finite floats to the nearest codes.
    ///
    /// The greatest magnitude of a row has the code 127 or -127. A matrix whose rows are codes times
    /// such a scale keeps its elements.
    public init(rounding matrix: Matrix<Float>) {
        (rows, columns) = (matrix.rows, matrix.columns)
        var (codes, scales) = ([Int8](), [Float]())
        codes.reserveCapacity(matrix.elements.count)
        scales.reserveCapacity(rows)
        for index in 0..<matrix.rows {
            let row = matrix.row(index)
            let scale = row.reduce(0) { max($0, abs($1)) } / 127
            scales.append(scale)
            for element in row {
                codes.append(scale > 0 ? Int8((element / scale).rounded(.toNearestOrEven)) : 0)
            }
        }
        (self.codes, self.scales) = (codes, scales)
    }

    /// The number of bytes in memory.
    public var byteCount: Int { codes.count + scales.count * MemoryLayout<Float>.size }

    /// Writes the elements of a row to `target`, which has space for them.
    func copyRow(_ index: Int, into target: UnsafeMutablePointer<Float>) {
        precondition(index >= 0 && index < rows, "a row is past the table")
        let scale = scales[index]
        codes.withUnsafeBufferPointer { codes in
            for column in 0..<columns {
                target[column] = Float(codes[index * columns + column]) * scale
            }
        }
    }
}
