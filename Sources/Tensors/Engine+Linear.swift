import CKernels

extension Engine {
    /// Computes a linear layer, `y = epilogue(x · Wᵀ + b)`.
    ///
    /// - Parameters:
    ///   - x: Shape `[tokens, inputs]`.
    ///   - weights: Shape `[outputs, inputs]`, packed.
    ///   - y: Shape `[tokens, outputs]`.
    ///   - epilogue: What becomes of each product.
    /// - Complexity: O(tokens · inputs · outputs)
    public func linear(
        _ x: Activations, _ weights: PackedWeights, into y: inout Activations,
        _ epilogue: Epilogue = .store
    ) {
        precondition(x.columns == weights.inputs && y.columns == weights.outputs, "linear widths")
        precondition(x.rows == y.rows, "linear rows")
        let (rows, panels) = (x.rows, weights.panels)
        guard rows > 0, panels > 0 else { return }
        let (inputs, outputs, step) = (weights.inputs, weights.outputs, weights.step)
        let (rowParts, panelParts) = parts(rows: rows, panels: panels)
        x.storage.withUnsafeBufferPointer { source in
            y.storage.withUnsafeMutableBufferPointer { target in
                let (a, c) = (source.baseAddress!, target.baseAddress!)
                pool.run { thread in
                    let (rowPart, panelPart) = (thread / panelParts, thread % panelParts)
                    guard rowPart < rowParts else { return }
                    let top = rows * rowPart / rowParts
                    let bottom = rows * (rowPart + 1) / rowParts
                    let first = panels * panelPart / panelParts
                    let last = panels * (panelPart + 1) / panelParts
                    guard top < bottom, first < last else { return }
                    kernels.gemm_f32(
                        a + top * inputs, inputs, bottom - top, inputs,
                        weights.panelsAddress + first * inputs * PackedWeights.panel,
                        weights.biasAddress.map { $0 + first * PackedWeights.panel },
                        c + top * outputs + first * step, outputs,
                        min(outputs, last * step) - first * step, epilogue.kernel)
                }
            }
        }
    }

    /// How many ways to cut the rows and the panels, so that no thread has much more than its
    /// share; panels first, because each weight is then read by one thread only.
    private func parts(rows: Int, panels: Int) -> (rows: Int, panels: Int) {
        let threads = pool.threads
        var best = (rows: 1, panels: min(threads, panels))
        var least: Int?
        for rowParts in 1...min(threads, max(rows / 12, 1)) {
            let panelParts = min(threads / rowParts, panels)
            let work =
                ((rows + rowParts - 1) / rowParts) * ((panels + panelParts - 1) / panelParts)
            if least.map({ work * 20 < $0 * 19 }) ?? true {
                best = (rowParts, panelParts)
                least = work
            }
        }
        return best
    }
}
