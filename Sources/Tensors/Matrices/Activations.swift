/// Rows of activations, one for each token, in memory that is kept when the shape changes.
///
/// A forward pass uses the same working memory for layers of many widths. A change of shape
/// allocates memory only if the new shape is larger. The values are then unspecified.
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

    /// Appends the rows of other activations, which have the same number of columns.
    public mutating func append(_ other: Activations) {
        precondition(rows == 0 || columns == other.columns, "the columns must be the same")
        columns = other.columns
        storage.removeLast(storage.count - rows * columns)
        storage += other.storage.prefix(other.rows * columns)
        rows += other.rows
    }

    /// Creates rows of one repeated value.
    public init(rows: Int, columns: Int, repeating value: Float) {
        self.rows = rows
        self.columns = columns
        storage = [Float](repeating: value, count: rows * columns)
    }

    /// Adds other activations of the same shape, multiplied by a factor.
    public mutating func add(_ other: Activations, times factor: Float) {
        precondition(rows == other.rows && columns == other.columns, "the shapes must be the same")
        for index in 0..<rows * columns { storage[index] += factor * other.storage[index] }
    }

    /// Changes the shape; the values are then unspecified.
    public mutating func reshape(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
        if storage.count < rows * columns {
            storage = []
            // Setting the values to 0 would take a noticeable part of a training step.
            storage = [Float](unsafeUninitializedCapacity: rows * columns) { $1 = rows * columns }
        }
    }

    /// The value at a row and column.
    public subscript(row: Int, column: Int) -> Float { storage[row * columns + column] }

    /// The values of one row.
    public func row(_ index: Int) -> ArraySlice<Float> {
        storage[index * columns..<(index + 1) * columns]
    }

    /// Sets some values of a row to 0.
    public mutating func clear(row: Int, columns cleared: some Sequence<Int>) {
        for column in cleared {
            precondition(column >= 0 && column < columns, "a cleared column must exist")
            storage[row * columns + column] = 0
        }
    }

    /// Multiplies each column by its factor.
    public mutating func scale(columns factors: [Float]) {
        precondition(factors.count == columns, "every column needs a factor")
        for row in 0..<rows {
            for column in 0..<columns { storage[row * columns + column] *= factors[column] }
        }
    }

    /// Replaces every value by its magnitude.
    public mutating func dropSigns() {
        for index in 0..<rows * columns { storage[index] = abs(storage[index]) }
    }

    /// The fraction of values whose magnitude is above the threshold of their column.
    ///
    /// - Parameter thresholds: The thresholds, one for each column.
    /// - Returns: The fraction, from 0 to 1.
    public func share(above thresholds: [Float]) -> Double {
        precondition(thresholds.count == columns, "every column needs a threshold")
        var count = 0
        for row in 0..<rows {
            for column in 0..<columns
            where abs(storage[row * columns + column]) > thresholds[column] {
                count += 1
            }
        }
        return rows * columns > 0 ? Double(count) / Double(rows * columns) : 0
    }

    /// A copy as a matrix.
    public var matrix: Matrix<Float> {
        Matrix(
            rows: rows, columns: columns, elements: Array(storage.prefix(rows * columns)))
    }
}
