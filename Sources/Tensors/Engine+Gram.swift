import CKernels

extension Engine {
    /// Adds the products of all pairs of columns to `sums`: `sums += xᵀ · x`.
    ///
    /// Products of a few hundred rows are summed in f32, these sums in f64. Only the upper triangle
    /// of `sums` is meaningful until ``Matrix/mirrorUpperTriangle()``.
    ///
    /// - Parameters:
    ///   - x: Shape `[tokens, columns]`; a few thousand tokens at most.
    ///   - sums: Shape `[columns, columns]`.
    ///   - first: The first of the columns whose products, with themselves and all before, are asked
    ///     for; some of those before it may be added too.
    /// - Complexity: O(tokens · columns² / 2)
    public func addGram(
        of x: Activations, to sums: inout Matrix<Double>, from first: Int = 0
    ) {
        precondition(sums.rows == x.columns && sums.columns == x.columns, "gram shape")
        let (rows, columns) = (x.rows, x.columns)
        guard rows > 0 else { return }
        x.storage.withUnsafeBufferPointer { x in
            sums.elements.withUnsafeMutableBufferPointer { sums in
                let sums = sums
                shareColumns(columns, from: first) { range, scratch in
                    kernels.gram_f32(
                        x.baseAddress!, rows, columns, range.lowerBound, range.upperBound,
                        sums.baseAddress!, scratch)
                }
            }
        }
    }

    /// Calls `body` with ranges of columns, the last ones first, and memory for their products.
    ///
    /// Together they are the columns from the panel on that holds the first one.
    func shareColumns(
        _ columns: Int, from first: Int = 0,
        _ body: (_ range: Range<Int>, _ scratch: UnsafeMutablePointer<Float>) -> Void
    ) {
        let start = first / PackedWeights.panel
        let panels = (columns + PackedWeights.panel - 1) / PackedWeights.panel - start
        // A few pieces for each thread; in long ones the rows are brought together less often.
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

/// The second moments `E[x xᵀ]` of rows that come a batch at a time.
public struct SecondMoments: Sendable {
    private var sums = Matrix<Double>(rows: 0, columns: 0)
    private var rows = 0

    /// Creates the moments of nothing yet.
    public init() {}

    /// Adds rows, as many columns each time.
    ///
    /// - Parameters:
    ///   - x: Shape `[tokens, columns]`.
    ///   - first: The first of the columns whose products with themselves and all others are asked
    ///     for; what is told of columns before it, among themselves, means nothing.
    ///   - engine: What to compute on.
    public mutating func add(_ x: Activations, from first: Int = 0, on engine: Engine) {
        if rows == 0 { sums = Matrix(rows: x.columns, columns: x.columns) }
        engine.addGram(of: x, to: &sums, from: first)
        rows += x.rows
    }

    /// The symmetric matrix of mean products of columns.
    public consuming func mean() -> Matrix<Double> {
        sums.mirrorUpperTriangle()
        let scale = 1 / Double(max(rows, 1))
        for index in sums.elements.indices { sums.elements[index] *= scale }
        return sums
    }
}

extension Matrix {
    /// Makes a square matrix symmetric by copying what is above the diagonal below it.
    public mutating func mirrorUpperTriangle() {
        precondition(rows == columns, "only a square matrix is symmetric")
        elements.withUnsafeMutableBufferPointer { elements in
            for row in 0..<rows {
                for column in 0..<row {
                    elements[row * columns + column] = elements[column * columns + row]
                }
            }
        }
    }
}
