import Tensors
import TestSupport
import Testing

private func random(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix<Double> {
    var generator = SplitMix64(seed: seed)
    return Matrix(
        rows: rows, columns: columns,
        elements: (0..<rows * columns).map { _ in Double.random(in: -1...1, using: &generator) })
}

/// Returns a well-conditioned positive definite matrix.
private func positive(_ size: Int, pool: ThreadPool) -> Matrix<Double> {
    var matrix = SymmetricMatrix(gramOf: random(size, size, seed: 1), pool: pool).full
    for index in 0..<size { matrix[index, index] += 1 }
    return matrix
}

private func identity(_ size: Int) -> Matrix<Double> {
    var matrix = Matrix<Double>(rows: size, columns: size)
    for index in 0..<size { matrix[index, index] = 1 }
    return matrix
}

@Suite("Cholesky")
struct CholeskyTests {
    @Test(
        "solving and inverting agree with the matrix",
        arguments: [1, 2, 95, 96, 97, 193, 310], [1, 2])
    func inverts(size: Int, threads: Int) throws {
        let pool = ThreadPool(threads: threads)
        let matrix = positive(size, pool: pool)
        let factor = try Cholesky(SymmetricMatrix(matrix), pool: pool)
        let b = random(7, size, seed: 2)
        let x = factor.solve(b, pool: pool)
        expectClose(x.multiplied(by: matrix, pool: pool).elements, b.elements, absolute: 1e-10)
        let inverse = factor.inverse(pool: pool).full
        expectClose(
            inverse.multiplied(by: matrix, pool: pool).elements, identity(size).elements,
            absolute: 1e-10)
        var inPlace = SymmetricMatrix(matrix)
        try inPlace.invert(pool: pool)
        #expect(inPlace.full == inverse)
    }

    @Test("the factor times its transpose is the matrix")
    func factors() throws {
        let pool = ThreadPool(threads: 2)
        let matrix = positive(130, pool: pool)
        let factor = try Cholesky(SymmetricMatrix(matrix), pool: pool)
        var lower = Matrix<Double>(rows: 130, columns: 130)
        for row in 0..<130 { for column in 0...row { lower[row, column] = factor[row, column] } }
        expectClose(
            lower.multiplied(by: lower.transposed, pool: pool).elements, matrix.elements,
            absolute: 1e-11)
    }

    @Test("only the lower triangle is read")
    func lowerTriangle() throws {
        let pool = ThreadPool(threads: 1)
        let matrix = positive(120, pool: pool)
        var damaged = matrix
        for row in 0..<120 { for column in row + 1..<120 { damaged[row, column] = .nan } }
        let want = try Cholesky(SymmetricMatrix(matrix), pool: pool).inverse(pool: pool).full
        let got = try Cholesky(SymmetricMatrix(damaged), pool: pool).inverse(pool: pool).full
        #expect(got == want)
    }

    @Test(
        "a matrix that is not positive definite gives an error with the row",
        arguments: [0, 5, 150])
    func refuses(row: Int) {
        let pool = ThreadPool(threads: 2)
        for value in [0, -1, Double.nan, .infinity] {
            var matrix = identity(200)
            matrix[row, row] = value
            #expect(throws: NotPositiveDefinite(row: row)) {
                try Cholesky(SymmetricMatrix(matrix), pool: pool)
            }
        }
    }

    @Test("no bit of the factor depends on the number of threads")
    func threads() throws {
        let (one, three) = (ThreadPool(threads: 1), ThreadPool(threads: 3))
        let matrix = positive(400, pool: one)
        #expect(positive(400, pool: three) == matrix)
        let factors = try [one, three].map { try Cholesky(SymmetricMatrix(matrix), pool: $0) }
        let b = random(300, 400, seed: 3)
        #expect(factors[0].solve(b, pool: one) == factors[1].solve(b, pool: three))
        #expect(factors[0].inverse(pool: one).full == factors[1].inverse(pool: three).full)
    }
}

@Suite("SymmetricMatrix")
struct SymmetricMatrixTests {
    private let pool = ThreadPool(threads: 2)

    @Test("rows, blocks and selections have the elements of the full matrix")
    func parts() {
        let symmetric = SymmetricMatrix(gramOf: random(9, 50, seed: 4), pool: pool)
        let full = symmetric.full
        #expect(full == full.transposed)
        var row = Matrix<Double>(rows: 2, columns: 50, repeating: 7)
        symmetric.copyRow(31, to: &row, row: 1)
        #expect(Array(row.row(1)) == Array(full.row(31)) && row[0, 49] == 7)
        #expect(symmetric.diagonal == (0..<50).map { full[$0, $0] })
        let kept = [3, 4, 20, 49]
        let want = full.selecting(rows: kept).selecting(columns: kept)
        #expect(SymmetricMatrix(full, selecting: kept).full == want)
        let run = Array(10..<14)
        #expect(symmetric.block(10..<14).full == full.selecting(rows: run).selecting(columns: run))
        #expect(symmetric[3, 20] == full[20, 3])
    }

    @Test("Gram matrices and downdates agree with their definitions")
    func updates() {
        let (a, y, z) = (random(60, 70, seed: 5), random(9, 70, seed: 6), random(9, 70, seed: 7))
        var got = SymmetricMatrix(gramOf: a, pool: pool)
        got.subtractGram(of: y, rows: 5, pool: pool)
        got.subtractProducts(of: y, and: z, rows: 4, pool: pool)
        var want = Matrix<Double>(rows: 70, columns: 70)
        for row in 0..<70 {
            for column in 0..<70 {
                for p in 0..<60 { want[row, column] += a[p, row] * a[p, column] }
                for p in 0..<5 { want[row, column] -= y[p, row] * y[p, column] }
                for p in 0..<4 {
                    want[row, column] -= y[p, row] * z[p, column] + z[p, row] * y[p, column]
                }
            }
        }
        expectClose(got.full.elements, want.elements, absolute: 1e-12)
        let right = random(3, 70, seed: 8)
        expectClose(
            got.multipliedFromLeft(by: right, pool: pool).elements,
            right.multiplied(by: want, pool: pool).elements, absolute: 1e-10)
    }

    @Test("rows of the same or another matrix are combined")
    func rows() {
        let other = random(4, 19, seed: 9)
        var matrix = random(5, 19, seed: 10)
        var want = matrix
        for column in 0..<19 {
            want[4, column] += 2 * other[1, column] - other[2, column]
            want[4, column] += 3 * matrix[1, column] - 4 * matrix[2, column]
            want[4, column] *= 0.5
        }
        matrix.add([2, -1], timesRowsOf: other, from: 1, toRow: 4)
        matrix.add([3, -4], timesRowsFrom: 1, toRow: 4)
        matrix.scale(row: 4, by: 0.5)
        expectClose(matrix.elements, want.elements, absolute: 1e-13)
        #expect(other.gathering(columns: [2, 0, 18]) == other.selecting(columns: [2, 0, 18]))
    }
}
