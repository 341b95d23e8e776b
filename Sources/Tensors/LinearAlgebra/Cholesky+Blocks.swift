import CKernels

/// The blocked algorithms, on memory of `size * size` elements.
extension Cholesky {
    /// Replaces the lower triangle by the factor, and returns the inverses of the diagonal blocks.
    static func factor(
        _ elements: inout [Double], size: Int, pool: ThreadPool
    ) throws(NotPositiveDefinite) -> [Double] {
        let blocks = (size + block - 1) / block
        var inverses = [Double](repeating: 0, count: blocks * block * block)
        let failure = factor(&elements, inverses: &inverses, size: size, pool: pool)
        if let failure { throw NotPositiveDefinite(row: failure) }
        return inverses
    }

    /// Factors the diagonal blocks one after another, with the right-looking algorithm.
    ///
    /// After each diagonal block, the panel below the block is solved, and the columns to the right
    /// are updated. Returns the first row whose pivot is not positive, or nil.
    private static func factor(
        _ a: UnsafeMutablePointer<Double>, inverses: UnsafeMutablePointer<Double>, size: Int,
        pool: ThreadPool
    ) -> Int? {
        let kernels = DoubleProducts.kernels.pointee
        let panel = UnsafeMutablePointer<Double>.allocate(capacity: size * block)
        defer { panel.deallocate() }
        for start in stride(from: 0, to: size, by: block) {
            let width = min(block, size - start)
            let diagonal = a + start * size + start
            let inverse = inverses + start * block
            let row = kernels.cholesky(diagonal, width, size)
            if row < width { return start + row }
            kernels.invert_lower(diagonal, width, size, inverse)
            let (below, rows) = (diagonal + width * size, size - start - width)
            for row in 0..<rows {
                (panel + row * width).update(from: below + row * size, count: width)
                (below + row * size).update(repeating: 0, count: width)
            }
            DoubleProducts.accumulate(
                rows: rows, columns: width, depth: width, alpha: 1,
                a: ck_f64_operand(panel, stride: width),
                b: ck_f64_operand(inverse, stride: width).transposed,
                into: below, stride: size, pool: pool)
            let solved = ck_f64_operand(below, stride: size)
            DoubleProducts.accumulate(
                rows: rows, columns: rows, depth: width, alpha: -1, a: solved,
                b: solved.transposed, into: below + width, stride: size, lower: true, pool: pool)
        }
        return nil
    }

    /// Replaces each row `b` by `b · L⁻ᵀ · L⁻¹`, one block of columns after another.
    static func solve(
        _ x: UnsafeMutablePointer<Double>, rows: Int, lower: UnsafePointer<Double>,
        inverses: UnsafePointer<Double>, size: Int, pool: ThreadPool
    ) {
        let part = UnsafeMutablePointer<Double>.allocate(capacity: rows * block)
        defer { part.deallocate() }
        let starts = Array(stride(from: 0, to: size, by: block))

        func divide(by start: Int, transposed: Bool) {
            let width = min(block, size - start)
            let inverse = ck_f64_operand(inverses + start * block, stride: width)
            for row in 0..<rows {
                (part + row * width).update(from: x + row * size + start, count: width)
                (x + row * size + start).update(repeating: 0, count: width)
            }
            DoubleProducts.accumulate(
                rows: rows, columns: width, depth: width, alpha: 1,
                a: ck_f64_operand(part, stride: width),
                b: transposed ? inverse.transposed : inverse, into: x + start, stride: size,
                pool: pool)
        }
        for start in starts {
            let width = min(block, size - start)
            DoubleProducts.accumulate(
                rows: rows, columns: width, depth: start, alpha: -1,
                a: ck_f64_operand(x, stride: size),
                b: ck_f64_operand(lower + start * size, stride: size).transposed,
                into: x + start, stride: size, pool: pool)
            divide(by: start, transposed: true)
        }
        for start in starts.reversed() {
            let width = min(block, size - start)
            let end = start + width
            DoubleProducts.accumulate(
                rows: rows, columns: width, depth: size - end, alpha: -1,
                a: ck_f64_operand(x + end, stride: size),
                b: ck_f64_operand(lower + end * size + start, stride: size),
                into: x + start, stride: size, pool: pool)
            divide(by: start, transposed: false)
        }
    }

    /// Replaces a factor in the lower triangle by the inverse of the factored matrix.
    static func invert(
        _ elements: inout [Double], inverses: [Double], size: Int, pool: ThreadPool
    ) {
        let row = UnsafeMutablePointer<Double>.allocate(capacity: size * block)
        defer { row.deallocate() }
        invertFactor(&elements, inverses: inverses, row: row, size: size, pool: pool)
        multiplyByTranspose(&elements, row: row, size: size, pool: pool)
    }

    /// Replaces L by `X = L⁻¹`, downwards: `X[i, :i] = -L[i,i]⁻¹ · (L[i, :i] · X[:i, :i])`.
    private static func invertFactor(
        _ a: UnsafeMutablePointer<Double>, inverses: UnsafePointer<Double>,
        row: UnsafeMutablePointer<Double>, size: Int, pool: ThreadPool
    ) {
        for start in stride(from: 0, to: size, by: block) {
            let width = min(block, size - start)
            let (line, inverse) = (a + start * size, inverses + start * block)
            row.update(repeating: 0, count: width * start)
            let strip = 2 * block
            DoubleProducts.share(
                (start + strip - 1) / strip, columns: strip, depth: start, pool: pool
            ) { piece, scratch in
                let column = piece * strip
                ck_gemm_f64(
                    DoubleProducts.kernels, width, min(strip, start - column), start - column, 1,
                    ck_f64_operand(line + column, stride: size),
                    ck_f64_operand(a + column * size + column, stride: size), row + column, start,
                    size, scratch)
            }
            for inner in 0..<width {
                let line = line + inner * size
                line.update(repeating: 0, count: min(start + strip, size))
                (line + start).update(from: inverse + inner * width, count: width)
            }
            DoubleProducts.accumulate(
                rows: width, columns: start, depth: width, alpha: -1,
                a: ck_f64_operand(inverse, stride: width), b: ck_f64_operand(row, stride: start),
                into: line, stride: size, pool: pool)
        }
    }

    /// Replaces a lower triangular `X` by `Xᵀ · X`, downwards: row i needs only rows i and later.
    private static func multiplyByTranspose(
        _ a: UnsafeMutablePointer<Double>, row: UnsafeMutablePointer<Double>, size: Int,
        pool: ThreadPool
    ) {
        for start in stride(from: 0, to: size, by: block) {
            let width = min(block, size - start)
            let (end, line) = (start + width, a + start * size)
            row.update(repeating: 0, count: width * end)
            DoubleProducts.accumulate(
                rows: width, columns: end, depth: size - start, alpha: 1,
                a: ck_f64_operand(line + start, stride: size).transposed,
                b: ck_f64_operand(line, stride: size), into: row, stride: end, pool: pool)
            for inner in 0..<width {
                (line + inner * size).update(from: row + inner * end, count: end)
            }
        }
    }
}
