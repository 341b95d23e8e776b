import CKernels

/// The error that a symmetric matrix is not positive definite.
public struct NotPositiveDefinite: Error, Equatable, CustomStringConvertible {
    /// The first row whose pivot is not positive.
    public let row: Int

    /// Creates the error for a row.
    public init(row: Int) {
        self.row = row
    }

    /// The problem and a remedy.
    public var description: String {
        "the matrix is not positive definite at row \(row); use more data or raise the damping"
    }
}

/// The factor `L` of a symmetric positive definite matrix `A = L · Lᵀ`.
///
/// The algorithm is blocked. Only the diagonal blocks are factored element by element. All other
/// blocks are computed with matrix products.
///
/// - Complexity: O(n³/3) to factor, O(n²) for each right-hand side.
public struct Cholesky: Sendable {
    /// The number of rows and of columns of the factored matrix.
    public let size: Int

    /// The number of rows of a block.
    static let block = 96

    /// `L` in the lower triangle, row after row.
    ///
    /// The upper triangles of the diagonal blocks are 0.
    private let lower: [Double]

    /// The inverses of the diagonal blocks, one after another, with `block * block` elements each.
    private let inverses: [Double]

    /// Factors a symmetric matrix.
    ///
    /// - Parameters:
    ///   - matrix: A positive definite matrix. The factor is stored in its memory.
    ///   - pool: The threads to use.
    /// - Throws: ``NotPositiveDefinite`` if a pivot is not positive.
    public init(
        _ matrix: consuming SymmetricMatrix, pool: ThreadPool
    ) throws(NotPositiveDefinite) {
        let size = matrix.size
        var lower: [Double] = []
        swap(&lower, &matrix.elements)
        inverses = try Cholesky.factor(&lower, size: size, pool: pool)
        self.lower = lower
        self.size = size
    }

    /// The element of `L` at a row and a column, for column ≤ row.
    public subscript(row: Int, column: Int) -> Double {
        lower[row * size + column]
    }

    /// Returns the row `x` with `x · A = b` for each row `b` of a matrix.
    ///
    /// - Precondition: `b.columns == size`.
    public func solve(_ b: Matrix<Double>, pool: ThreadPool) -> Matrix<Double> {
        precondition(b.columns == size, "each row of b must have the size of the factor")
        var x = b
        Cholesky.solve(
            &x.elements, rows: b.rows, lower: lower, inverses: inverses, size: size, pool: pool)
        return x
    }

    /// Returns the inverse of the factored matrix.
    public func inverse(pool: ThreadPool) -> SymmetricMatrix {
        var result = SymmetricMatrix(Matrix(rows: size, columns: size, elements: lower))
        Cholesky.invert(&result.elements, inverses: inverses, size: size, pool: pool)
        return result
    }
}

extension SymmetricMatrix {
    /// Replaces the matrix by its inverse, in place.
    ///
    /// - Parameter pool: The threads to use.
    /// - Throws: ``NotPositiveDefinite`` if a pivot is not positive.
    /// - Complexity: O(n³)
    public mutating func invert(pool: ThreadPool) throws(NotPositiveDefinite) {
        let inverses = try Cholesky.factor(&elements, size: size, pool: pool)
        Cholesky.invert(&elements, inverses: inverses, size: size, pool: pool)
    }
}
