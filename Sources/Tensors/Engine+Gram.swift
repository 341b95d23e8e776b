import CKernels

extension Engine {
    /// Adds the products of all pairs of columns to `sums`: `sums += xᵀ · x`.
    ///
    /// Products of one call are summed in f32 over its rows, calls in f64. Only the upper triangle
    /// of `sums` is meaningful until ``Matrix/mirrorUpperTriangle()``.
    ///
    /// - Parameters:
    ///   - x: Shape `[tokens, columns]`; a few thousand tokens at most.
    ///   - sums: Shape `[columns, columns]`.
    /// - Complexity: O(tokens · columns² / 2)
    public func addGram(of x: Activations, to sums: inout Matrix<Double>) {
        precondition(sums.rows == x.columns && sums.columns == x.columns, "gram shape")
        let (rows, columns, panel) = (x.rows, x.columns, PackedWeights.panel)
        let panels = (columns + panel - 1) / panel
        guard rows > 0 else { return }
        var scratch = [Float](repeating: 0, count: pool.threads * rows * panel)
        x.storage.withUnsafeBufferPointer { x in
            sums.elements.withUnsafeMutableBufferPointer { sums in
                scratch.withUnsafeMutableBufferPointer { scratch in
                    let (sums, scratch) = (sums, scratch)
                    pool.forEach(panels) { index, thread in
                        let first = (panels - 1 - index) * panel
                        kernels.gram_f32(
                            x.baseAddress!, rows, columns, first, min(first + panel, columns),
                            sums.baseAddress!, scratch.baseAddress! + thread * rows * panel)
                    }
                }
            }
        }
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
