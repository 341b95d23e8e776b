import CKernels

/// A symmetric f64 matrix.
///
/// Only the lower triangle is valid.
///
/// The matrix is stored as a full square, so that all rows have the same stride. Elements above the
/// diagonal are working memory.
public struct SymmetricMatrix: Sendable {
    /// The number of rows and of columns.
    public let size: Int

    /// Row after row, `size * size` elements.
    var elements: [Double]

    /// Creates a matrix from some rows of a matrix and the same columns.
    ///
    /// Only the lower triangle is read.
    ///
    /// - Precondition: `indices` ascend, and lie in both the rows and the columns of `matrix`.
    public init(_ matrix: Matrix<Double>, selecting indices: [Int]) {
        self.init(matrix.elements, columns: matrix.columns, selecting: indices)
    }

    private init(_ elements: [Double], columns: Int, selecting indices: [Int]) {
        let size = indices.count
        self.size = size
        self.elements = [Double](unsafeUninitializedCapacity: size * size) { target, count in
            target.initialize(repeating: 0)
            withPointers(reading: elements) { source in
                for (row, index) in indices.enumerated() {
                    let line = index * columns
                    for column in 0...row {
                        target[row * size + column] = source[line + indices[column]]
                    }
                }
            }
            count = size * size
        }
    }

    /// Returns the matrix of the rows and columns at some indices, which ascend.
    public func selecting(_ indices: [Int]) -> SymmetricMatrix {
        SymmetricMatrix(elements, columns: size, selecting: indices)
    }

    /// Creates a matrix from the lower triangle of a square matrix.
    public init(_ matrix: Matrix<Double>) {
        precondition(matrix.rows == matrix.columns, "a symmetric matrix must be square")
        size = matrix.rows
        elements = matrix.elements
    }

    /// Creates the Gram matrix of a matrix's columns, `aᵀ · a`.
    public init(gramOf a: Matrix<Double>, pool: ThreadPool) {
        size = a.columns
        elements = [Double](repeating: 0, count: a.columns * a.columns)
        add(1, a, a, rows: a.rows, pool: pool)
    }

    /// The element at a row and column.
    public subscript(row: Int, column: Int) -> Double {
        elements[max(row, column) * size + min(row, column)]
    }

    /// The matrix with both triangles filled.
    public var full: Matrix<Double> {
        var copy = self
        copy.fillUpperTriangle()
        return Matrix(rows: size, columns: size, elements: copy.elements)
    }

    /// The elements on the diagonal.
    public var diagonal: [Double] {
        (0..<size).map { elements[$0 * size + $0] }
    }

    /// Returns the block of the rows and columns in a range.
    public func block(_ range: Range<Int>) -> SymmetricMatrix {
        var block = Matrix<Double>(rows: range.count, columns: range.count)
        for row in range {
            for column in range.lowerBound...row {
                block[row - range.lowerBound, column - range.lowerBound] =
                    elements[row * size + column]
            }
        }
        return SymmetricMatrix(block)
    }

    /// Copies one row to a row of a matrix with the same number of columns.
    public func copyRow(_ row: Int, to target: inout Matrix<Double>, row targetRow: Int) {
        precondition(target.columns == size, "both matrices need the same number of columns")
        precondition(targetRow < target.rows, "the target row must exist")
        let size = size
        withPointers(writing: &target.elements, reading: elements) { target, source in
            let (line, out) = (row * size, targetRow * size)
            for column in 0..<row { target[out + column] = source[line + column] }
            for column in row..<size { target[out + column] = source[column * size + row] }
        }
    }

    /// Subtracts `yᵀ · y` for the first rows of `y`.
    public mutating func subtractGram(
        of y: Matrix<Double>, rows: Int, pool: ThreadPool
    ) {
        add(-1, y, y, rows: rows, pool: pool)
    }

    /// Subtracts `yᵀ · z + zᵀ · y` for the first rows of `y` and `z`.
    public mutating func subtractProducts(
        of y: Matrix<Double>, and z: Matrix<Double>, rows: Int, pool: ThreadPool
    ) {
        add(-1, y, z, rows: rows, pool: pool)
        add(-1, z, y, rows: rows, pool: pool)
    }

    /// Returns the product `matrix · self`.
    ///
    /// The function is mutating because it fills the upper triangle first.
    ///
    /// - Precondition: `matrix.columns == size`.
    public mutating func multipliedFromLeft(
        by matrix: Matrix<Double>, pool: ThreadPool
    ) -> Matrix<Double> {
        fillUpperTriangle()
        let right = Matrix(rows: size, columns: size, elements: elements)
        return matrix.multiplied(by: right, pool: pool)
    }

    /// Adds `alpha · xᵀ · y`, for the first rows of both, to the lower triangle.
    private mutating func add(
        _ alpha: Double, _ x: Matrix<Double>, _ y: Matrix<Double>, rows: Int, pool: ThreadPool
    ) {
        precondition(x.columns == size && y.columns == size, "x and y need `size` columns")
        precondition(rows <= x.rows && rows <= y.rows, "x and y have too few rows")
        let size = size
        withPointers(writing: &elements, reading: x.elements, y.elements) { c, x, y in
            DoubleProducts.accumulate(
                rows: size, columns: size, depth: rows, alpha: alpha,
                a: ck_f64_operand(x, stride: size).transposed, b: ck_f64_operand(y, stride: size),
                into: c, stride: size, lower: true, pool: pool)
        }
    }

    /// Copies the lower triangle to the upper triangle, in square tiles that fit in a cache.
    private mutating func fillUpperTriangle() {
        let (size, tile) = (size, 32)
        withPointers(writing: &elements) { elements in
            for top in stride(from: 0, to: size, by: tile) {
                for left in stride(from: 0, through: top, by: tile) {
                    for row in top..<min(top + tile, size) {
                        for column in left..<min(left + tile, row) {
                            elements[column * size + row] = elements[row * size + column]
                        }
                    }
                }
            }
        }
    }
}
