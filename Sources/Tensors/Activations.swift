/// Rows of activations, one for each token, in memory that is kept when the shape changes.
///
/// A forward pass takes the same working memory through layers of many widths: changing the shape
/// must cost nothing, and leaves the values unspecified.
public struct Activations: Sendable {
    /// The number of rows.
    public private(set) var rows = 0
    /// The number of columns.
    public private(set) var columns = 0

    /// The values, row after row, in the first `rows * columns` places.
    var storage: [Float] = []

    /// Creates activations without rows, whose memory grows with the first shape.
    public init() {}

    /// Copies a matrix.
    public init(_ matrix: Matrix<Float>) {
        rows = matrix.rows
        columns = matrix.columns
        storage = matrix.elements
    }

    /// Changes the shape; the values are then unspecified.
    public mutating func reshape(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
        if storage.count < rows * columns {
            storage = [Float](repeating: 0, count: rows * columns)
        }
    }

    /// The value at a row and column.
    public subscript(row: Int, column: Int) -> Float { storage[row * columns + column] }

    /// The values of one row.
    public func row(_ index: Int) -> ArraySlice<Float> {
        storage[index * columns..<(index + 1) * columns]
    }

    /// The mean of some rows: of a sequence's hidden states, the embedding that sentence
    /// transformers use.
    ///
    /// - Parameter rows: At least one row.
    /// - Returns: A value for each column.
    public func mean(of rows: Range<Int>) -> [Double] {
        var sum = [Double](repeating: 0, count: columns)
        for row in rows {
            for (column, value) in self.row(row).enumerated() { sum[column] += Double(value) }
        }
        return sum.map { $0 / Double(rows.count) }
    }

    /// A copy as a matrix.
    public var matrix: Matrix<Float> {
        Matrix(
            rows: rows, columns: columns, elements: Array(storage.prefix(rows * columns)))
    }
}
