import CKernels

/// Approximate logits of all tokens of a vocabulary, and exact logits of the best candidates.
extension Engine {
    /// Computes the logits of all outputs for each row.
    ///
    /// The logit is exact if it may be the largest of the row. Other logits are approximate.
    ///
    /// A panel of 32 outputs is computed exactly if one of its approximate logits is at most
    /// `margin` below the largest approximate logit. If the margin is at least twice the error of
    /// the approximate logits, the largest returned logit is the largest exact logit.
    ///
    /// - Parameters:
    ///   - x: Shape `[tokens, inputs]`.
    ///   - coarse: The weights in 4 bits.
    ///   - exact: The weights, without a bias.
    ///   - margin: The maximum distance from the largest approximate logit.
    ///   - y: Shape `[tokens, outputs]`.
    /// - Returns: The fraction of panels that were computed exactly.
    @discardableResult
    public func screen(
        _ x: Activations, coarse: CoarseWeights, exact: PackedWeights, margin: Float,
        into y: inout Activations
    ) -> Double {
        precondition(x.columns == exact.inputs, "x must have the inputs of the exact weights")
        precondition(y.columns == exact.outputs, "y must have the outputs of the exact weights")
        precondition(
            coarse.inputs == exact.inputs && coarse.outputs == exact.outputs,
            "coarse and exact weights must have the same shape")
        precondition(x.rows <= y.rows, "y needs a row for each row of x")
        precondition(!exact.hasBias, "the exact weights must not have a bias")
        let (inputs, outputs, panels) = (x.columns, y.columns, exact.panels)
        let threads = min(pool.threads, panels)
        guard threads > 0 else { return 0 }
        var maxima = [Float](repeating: 0, count: panels)
        var count = 0
        let rows = x.rows
        withPointers(writing: &y.storage, reading: x.storage) { y, x in
            for row in 0..<rows {
                let (a, c) = (x + row * inputs, y + row * outputs)
                approximateScores(a, coarse, into: c, threads, &maxima)
                let minimum = maxima.reduce(-Float.infinity, max) - margin
                count += multiply(a, exact, where: maxima, isAtLeast: minimum, into: c)
            }
        }
        return Double(count) / Double(max(1, panels * rows))
    }

    /// Computes the approximate logits of one row, and the largest logit of each panel.
    private func approximateScores(
        _ a: UnsafePointer<Float>, _ coarse: CoarseWeights, into c: UnsafeMutablePointer<Float>,
        _ threads: Int, _ maxima: inout [Float]
    ) {
        let (panel, outputs, panels) = (PackedWeights.panel, coarse.outputs, maxima.count)
        let row = coarseRows(a, of: coarse)[0]
        withPointers(writing: &maxima) { maxima in
            pool.run { thread in
                guard thread < threads else { return }
                let own = panels * thread / threads..<panels * (thread + 1) / threads
                let first = own.lowerBound * panel
                approximateScores(
                    row, coarse, panels: own, into: c + first,
                    min(outputs, own.upperBound * panel) - first,
                    maxima: maxima + own.lowerBound)
            }
        }
    }

    /// Converts rows of activations for coarse weights, and stores them in the working memory.
    func coarseRows(
        _ a: UnsafePointer<Float>, rows: Int = 1, of coarse: CoarseWeights
    ) -> CoarseRows {
        let stride = CoarseRows.header + (coarse.inputs + 7) / 8 * 8
        let result = CoarseRows(memory: scratch.bytes(rows * stride), stride: stride)
        var fine = [Float](repeating: 0, count: CoarseWeights.fineCount)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: coarse.inputs) { rest in
            let rest = rest.baseAddress!
            for row in 0..<rows {
                rest.update(from: a + row * coarse.inputs, count: coarse.inputs)
                for (place, input) in coarse.fineInputs.enumerated() {
                    fine[place] = rest[input]
                    rest[input] = 0
                }
                let (scales, codes) = result.parts(of: row)
                scales[0] = kernels.round_int8(rest, coarse.inputs, codes + fine.count)
                scales[1] = kernels.round_int8(fine, fine.count, codes)
            }
        }
        return result
    }

    /// Computes approximate outputs of a row in some panels, and the largest output of each panel.
    func approximateScores(
        _ row: ck_coarse_row, _ coarse: CoarseWeights, panels: Range<Int>,
        into c: UnsafeMutablePointer<Float>, _ count: Int, maxima: UnsafeMutablePointer<Float>
    ) {
        kernels.multiply_coarse(
            row, coarse.inputs, coarse.address(ofPanel: panels.lowerBound), c, count, maxima)
    }

    /// Computes the exact logits of one row in each panel whose maximum is at least `minimum`.
    ///
    /// Returns the number of these panels.
    private func multiply(
        _ x: UnsafePointer<Float>, _ weights: PackedWeights, where maxima: [Float],
        isAtLeast minimum: Float, into c: UnsafeMutablePointer<Float>
    ) -> Int {
        let panels = maxima.indices.filter { maxima[$0] >= minimum }
        multiply(x, weights, panels: panels, into: c)
        return panels.count
    }
}

/// Rows of activations in 8 bits.
///
/// The fine inputs of a row are stored separately, and are 0 among the inputs of the row.
struct CoarseRows {
    /// Each row consists of its two scales, its fine inputs and all its inputs.
    let memory: UnsafeMutableRawPointer
    /// The number of bytes of a row.
    let stride: Int

    /// The number of bytes before a row's inputs.
    static let header = 2 * MemoryLayout<Float>.stride + CoarseWeights.fineCount

    fileprivate func parts(
        of row: Int
    ) -> (scales: UnsafeMutablePointer<Float>, codes: UnsafeMutablePointer<Int8>) {
        let scales = (memory + row * stride).assumingMemoryBound(to: Float.self)
        return (scales, UnsafeMutableRawPointer(scales + 2).assumingMemoryBound(to: Int8.self))
    }

    subscript(row: Int) -> ck_coarse_row {
        let (scales, codes) = parts(of: row)
        return ck_coarse_row(
            values: codes + CoarseWeights.fineCount, fine: codes, scale: scales[0],
            fine_scale: scales[1])
    }
}
