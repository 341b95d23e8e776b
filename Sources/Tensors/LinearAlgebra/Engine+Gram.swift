import CKernels

extension Engine {
    /// Adds the products of all pairs of columns to `sums`: `sums += xᵀ · x`.
    ///
    /// The products of a few hundred rows are summed in f32. These partial sums are added in f64. If
    /// the processor multiplies tiles of bfloat16, x is rounded to two terms in bfloat16, which
    /// differ from it by at most 2⁻¹⁷ of its magnitude. Only the upper triangle of `sums` is valid
    /// until ``Matrix/mirrorUpperTriangle()`` is called.
    ///
    /// - Parameters:
    ///   - x: Shape `[tokens, columns]`, with at most a few thousand tokens.
    ///   - sums: Shape `[columns, columns]`.
    ///   - first: The first column whose products with itself and all earlier columns are needed.
    ///     Products of two columns before `first` may be added too.
    /// - Complexity: O(tokens · columns² / 2)
    public func addGram(
        of x: Activations, to sums: inout Matrix<Double>, from first: Int = 0
    ) {
        precondition(
            sums.rows == x.columns && sums.columns == x.columns,
            "sums must have the shape [columns, columns]")
        let (rows, columns) = (x.rows, x.columns)
        guard rows > 0 else { return }
        withPointers(writing: &sums.elements, reading: x.storage) { sums, x in
            shareColumns(columns, from: first) { range, scratch in
                kernels.gram_f32(
                    x, rows, columns, range.lowerBound, range.upperBound, sums, scratch)
            }
        }
    }

    /// Divides the columns from `first` to the end into ranges, and calls `body` for each range.
    ///
    /// The last range is computed first. The ranges begin at the panel that contains `first`.
    func shareColumns(
        _ columns: Int, from first: Int = 0,
        _ body: (_ range: Range<Int>, _ scratch: UnsafeMutablePointer<Float>) -> Void
    ) {
        let start = first / PackedWeights.panel
        let panels = (columns + PackedWeights.panel - 1) / PackedWeights.panel - start
        // There are several pieces for each thread. Pieces should be long, because the rows are
        // gathered again for each piece.
        let pieces = max((panels + 7) / 8, min(panels, 3 * pool.threads))
        let floats =
            Int(ck_slab_rows) * ((panels / pieces + 1) * PackedWeights.panel + Int(ck_tile_columns))
        let memory = scratch.bytes(pool.threads * floats * MemoryLayout<Float>.stride)
            .assumingMemoryBound(to: Float.self)
        pool.forEach(pieces) { index, thread in
            let piece = pieces - 1 - index
            let first = (start + panels * piece / pieces) * PackedWeights.panel
            let last = min(
                (start + panels * (piece + 1) / pieces) * PackedWeights.panel, columns)
            body(first..<last, memory + thread * floats)
        }
    }
}

/// The second moments `E[x xᵀ]` of rows that arrive in batches.
public struct SecondMoments: Sendable {
    private var sums = Matrix<Double>(rows: 0, columns: 0)
    private var rows = 0

    /// Creates the moments of no rows.
    public init() {}

    /// Adds rows, which need the same number of columns in every call.
    ///
    /// - Parameters:
    ///   - x: Shape `[tokens, columns]`.
    ///   - first: The first column whose products with all columns are needed. Products of two
    ///     columns before `first` are unspecified.
    ///   - engine: The engine that computes.
    public mutating func add(_ x: Activations, from first: Int = 0, on engine: Engine) {
        if rows == 0 { sums = Matrix(rows: x.columns, columns: x.columns) }
        engine.addGram(of: x, to: &sums, from: first)
        rows += x.rows
    }

    /// Returns the symmetric matrix of the mean products of columns.
    public consuming func mean() -> Matrix<Double> {
        sums.mirrorUpperTriangle()
        let scale = 1 / Double(max(rows, 1))
        for index in sums.elements.indices { sums.elements[index] *= scale }
        return sums
    }
}

extension Matrix {
    /// Copies the upper triangle of a square matrix to the lower triangle.
    public mutating func mirrorUpperTriangle() {
        precondition(rows == columns, "a symmetric matrix must be square")
        let (rows, columns) = (rows, columns)
        withPointers(writing: &elements) { elements in
            for row in 0..<rows {
                for column in 0..<row {
                    elements[row * columns + column] = elements[column * columns + row]
                }
            }
        }
    }
}
