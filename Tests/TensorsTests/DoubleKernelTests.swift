import CKernels
import Tensors
import TestSupport
import Testing

/// The tables that this processor runs.
///
/// They are constants, so threads may share them.
private nonisolated(unsafe) let tables = (0..<8).compactMap { ck_f64_table($0) }

private func random(_ count: Int, seed: Int) -> [Double] {
    var generator = SplitMix64(seed: UInt64(seed))
    return (0..<count).map { _ in Double.random(in: -1...1, using: &generator) }
}

@Suite("f64 kernels of every instruction set")
struct DoubleKernelTests {
    @Test("the list of tables contains the portable table and ends")
    func tablesEnd() {
        #expect(tables.contains { String(cString: $0.pointee.name) == "portable" })
        #expect(ck_f64_table(100) == nil)
    }

    @Test(
        "products agree with the definition for every remainder and both strides",
        arguments: tables.indices,
        [(1, 1, 1), (7, 23, 5), (8, 24, 256), (9, 25, 257), (193, 49, 3), (50, 1540, 2)])
    func product(table: Int, size: (rows: Int, columns: Int, depth: Int)) {
        let (m, n, k) = (size.rows, size.columns, size.depth)
        let (a, b, start) = (random(m * k, seed: 1), random(k * n, seed: 2), random(m * n, seed: 3))
        var want = start
        for row in 0..<m {
            for column in 0..<n {
                for p in 0..<k {
                    want[row * n + column] -= 0.5 * a[row * k + p] * b[p * n + column]
                }
            }
        }
        let transposedA = Matrix(rows: m, columns: k, elements: a).transposed.elements
        let transposedB = Matrix(rows: k, columns: n, elements: b).transposed.elements
        var scratch = [Double](repeating: .nan, count: ck_gemm_f64_scratch(n, k))
        for transposed in [false, true] {
            var got = start + [42]
            (transposed ? transposedA : a).withUnsafeBufferPointer { a in
                (transposed ? transposedB : b).withUnsafeBufferPointer { b in
                    ck_gemm_f64(
                        tables[table], m, n, k, -0.5,
                        ck_f64_operand(
                            data: a.baseAddress!, row_stride: transposed ? 1 : k,
                            column_stride: transposed ? m : 1),
                        ck_f64_operand(
                            data: b.baseAddress!, row_stride: transposed ? 1 : n,
                            column_stride: transposed ? k : 1),
                        &got, n, n, &scratch)
                }
            }
            #expect(got.removeLast() == 42, "wrote past c")
            expectClose(got, want, absolute: 1e-13 * Double(k + 8))
        }
    }

    @Test("a triangular product is complete", arguments: tables.indices, [-3, 0, 40])
    func triangularProduct(table: Int, diagonal: Int) {
        let (m, n, k) = (230, 210, 11)
        let (a, b) = (random(m * k, seed: 1), random(k * n, seed: 2))
        var got = [Double](repeating: 0, count: m * n)
        var scratch = [Double](repeating: 0, count: ck_gemm_f64_scratch(n, k))
        a.withUnsafeBufferPointer { a in
            b.withUnsafeBufferPointer { b in
                ck_gemm_f64(
                    tables[table], m, n, k, 1,
                    ck_f64_operand(data: a.baseAddress!, row_stride: k, column_stride: 1),
                    ck_f64_operand(data: b.baseAddress!, row_stride: n, column_stride: 1), &got,
                    n, diagonal, &scratch)
            }
        }
        var wrong = 0
        for row in 0..<m {
            for column in 0..<n where column <= row + diagonal {
                let want = (0..<k).reduce(0) { $0 + a[row * k + $1] * b[$1 * n + column] }
                if abs(got[row * n + column] - want) > 1e-13 { wrong += 1 }
            }
        }
        #expect(wrong == 0)
        #expect(got[n - 1] == 0, "the last column of the first row was computed")
    }

    @Test("combined rows agree with the definition", arguments: [1, 7, 8, 33], [0, 1, 4, 7])
    func combine(n: Int, count: Int) {
        let (coefficients, rows) = (random(count, seed: 4), random(count * (n + 3), seed: 5))
        let start = random(n, seed: 6)
        var want = start
        for i in 0..<count {
            for x in 0..<n { want[x] += coefficients[i] * rows[i * (n + 3) + x] }
        }
        for table in tables {
            var got = start + [42]
            table.pointee.combine(&got, n, coefficients, rows, n + 3, count)
            #expect(got.removeLast() == 42, "wrote past n")
            expectClose(got, want, absolute: 1e-14)
        }
    }

    @Test(
        "small factors and inverses agree with the matrix", arguments: tables.indices,
        [1, 2, 15, 16, 40])
    func smallFactor(table: Int, n: Int) {
        let source = Matrix(rows: n + 3, columns: n, elements: random((n + 3) * n, seed: 7))
        let full = SymmetricMatrix(gramOf: source, pool: ThreadPool(threads: 1)).full
        var lower = full.elements
        #expect(tables[table].pointee.cholesky(&lower, n, n) == n)
        var inverse = [Double](repeating: .nan, count: n * n)
        tables[table].pointee.invert_lower(lower, n, n, &inverse)
        let l = Matrix(rows: n, columns: n, elements: lower)
        let x = Matrix(rows: n, columns: n, elements: inverse)
        let pool = ThreadPool(threads: 1)
        expectClose(
            l.multiplied(by: l.transposed, pool: pool).elements, full.elements, absolute: 1e-12)
        var identity = Matrix<Double>(rows: n, columns: n)
        for i in 0..<n { identity[i, i] = 1 }
        expectClose(l.multiplied(by: x, pool: pool).elements, identity.elements, absolute: 1e-9)
        var damaged = full.elements
        damaged[(n - 1) * n + n - 1] = -1
        #expect(tables[table].pointee.cholesky(&damaged, n, n) == n - 1)
    }
}
