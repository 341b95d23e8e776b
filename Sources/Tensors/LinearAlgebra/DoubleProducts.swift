import CKernels
import Synchronization

/// Products of f64 operands in memory, divided among the threads of a pool.
///
/// No bit of the results depends on the number of threads.
enum DoubleProducts {
    /// The kernels of the best instruction set that this processor runs.
    static var kernels: UnsafePointer<ck_f64_kernels> {
        ck_f64_table(0)!
    }

    /// Adds `alpha · a · b` to `c`, or to its lower triangle only.
    ///
    /// - Parameters:
    ///   - rows: The rows of `a` and `c`.
    ///   - columns: The columns of `b` and `c`.
    ///   - depth: The columns of `a` and rows of `b`.
    ///   - alpha: The factor of the product.
    ///   - a: Shape `[rows, depth]`.
    ///   - b: Shape `[depth, columns]`.
    ///   - c: Shape `[rows, columns]`. It must not overlap `a` or `b`.
    ///   - stride: The number of elements from one row of `c` to the next.
    ///   - lower: Whether only the elements with column ≤ row are needed. Other elements may be
    ///     written too.
    ///   - pool: The threads among which the rows or columns of `c` are divided.
    static func accumulate(
        rows: Int, columns: Int, depth: Int, alpha: Double, a: ck_f64_operand, b: ck_f64_operand,
        into c: UnsafeMutablePointer<Double>, stride: Int, lower: Bool = false, pool: ThreadPool
    ) {
        guard rows > 0, columns > 0, depth > 0 else { return }
        let byRows = lower || rows >= columns
        let pieces = boundaries(
            of: byRows ? rows : columns, pieces: pool.threads == 1 ? 1 : 3 * pool.threads,
            triangular: lower)
        share(pieces.count - 1, columns: columns, depth: depth, pool: pool) { piece, scratch in
            let (start, end) = (pieces[piece], pieces[piece + 1])
            if byRows {
                ck_gemm_f64(
                    kernels, end - start, lower ? min(end, columns) : columns, depth, alpha,
                    a.skipping(rows: start), b, c + start * stride, stride,
                    lower ? start : columns, scratch)
            } else {
                ck_gemm_f64(
                    kernels, rows, end - start, depth, alpha, a, b.skipping(columns: start),
                    c + start, stride, columns, scratch)
            }
        }
    }

    /// Runs pieces of work on all threads.
    ///
    /// A thread that has finished a piece starts the next piece.
    ///
    /// - Parameters:
    ///   - pieces: The number of pieces. The first pieces should be the largest.
    ///   - columns: The maximum number of columns of a product in the work.
    ///   - depth: The maximum depth of a product in the work.
    ///   - pool: The threads.
    ///   - work: Runs one piece. Its arguments are the index of the piece and scratch memory for
    ///     `ck_gemm_f64`.
    static func share(
        _ pieces: Int, columns: Int, depth: Int, pool: ThreadPool,
        _ work: (_ piece: Int, _ scratch: UnsafeMutablePointer<Double>) -> Void
    ) {
        let next = Atomic(0)
        pool.run { _ in
            let scratch = UnsafeMutablePointer<Double>.allocate(
                capacity: ck_gemm_f64_scratch(columns, depth))
            defer { scratch.deallocate() }
            while true {
                let piece = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard piece < pieces else { return }
                work(piece, scratch)
            }
        }
    }

    /// Returns boundaries that divide rows into at most `pieces` ranges of similar work.
    ///
    /// There is at most one range for every 48 rows.
    private static func boundaries(of count: Int, pieces: Int, triangular: Bool) -> [Int] {
        let pieces = max(1, min(pieces, count / 48))
        var result = [0]
        for piece in 1...pieces {
            let share = Double(piece) / Double(pieces)
            let position = Double(count) * (triangular ? share.squareRoot() : share)
            let boundary = piece == pieces ? count : Int(position) / 24 * 24
            if boundary > result[result.count - 1] { result.append(boundary) }
        }
        return result
    }
}

extension ck_f64_operand {
    /// Creates a row-major operand.
    init(_ data: UnsafePointer<Double>, stride: Int) {
        self.init(data: data, row_stride: stride, column_stride: 1)
    }

    /// The same elements with rows and columns exchanged.
    var transposed: ck_f64_operand {
        ck_f64_operand(data: data, row_stride: column_stride, column_stride: row_stride)
    }

    /// Returns the operand without the first `rows` rows.
    func skipping(rows: Int) -> ck_f64_operand {
        ck_f64_operand(
            data: data + rows * row_stride, row_stride: row_stride, column_stride: column_stride)
    }

    /// Returns the operand without the first `columns` columns.
    func skipping(columns: Int) -> ck_f64_operand {
        transposed.skipping(rows: columns).transposed
    }
}

extension Matrix where Element == Double {
    /// Returns the product `self · other`.
    ///
    /// - Precondition: `columns == other.rows`.
    public func multiplied(by other: Matrix, pool: ThreadPool) -> Matrix {
        precondition(columns == other.rows, "the columns of self must be the rows of other")
        var result = Matrix(rows: rows, columns: other.columns)
        withPointers(writing: &result.elements, reading: elements, other.elements) { c, a, b in
            DoubleProducts.accumulate(
                rows: rows, columns: other.columns, depth: columns, alpha: 1,
                a: ck_f64_operand(a, stride: columns), b: ck_f64_operand(b, stride: other.columns),
                into: c, stride: other.columns, pool: pool)
        }
        return result
    }
}
