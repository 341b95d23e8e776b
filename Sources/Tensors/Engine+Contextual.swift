import CKernels

/// Operations of contextual sparsity.
extension Engine {
    /// Computes the scores of all outputs for each row.
    ///
    /// The scores of outputs that may have the largest score are exact. All others are approximate.
    ///
    /// A panel of 32 outputs is computed exactly if one of its approximate scores is at most
    /// `margin` below the largest approximate score. If the margin is at least twice the error of
    /// the approximate scores, the largest returned score is the largest exact one.
    ///
    /// - Parameters:
    ///   - x: Shape `[tokens, inputs]`.
    ///   - coarse: The weights in 4 bits.
    ///   - exact: The weights, without a bias.
    ///   - margin: The maximum distance from the largest approximate score.
    ///   - y: Shape `[tokens, outputs]`.
    /// - Returns: The fraction of panels that were computed exactly.
    @discardableResult
    public func screen(
        _ x: Activations, coarse: CoarseWeights, exact: PackedWeights, margin: Float,
        into y: inout Activations
    ) -> Double {
        precondition(x.columns == exact.inputs && y.columns == exact.outputs, "screened widths")
        precondition(coarse.inputs == exact.inputs && coarse.outputs == exact.outputs, "weights")
        precondition(x.rows <= y.rows && !exact.hasBias, "screened rows")
        let (inputs, outputs, panels) = (x.columns, y.columns, exact.panels)
        let threads = min(pool.threads, panels)
        guard threads > 0 else { return 0 }
        var greatest = [Float](repeating: 0, count: panels)
        var count = 0
        x.storage.withUnsafeBufferPointer { source in
            y.storage.withUnsafeMutableBufferPointer { target in
                for row in 0..<x.rows {
                    let (a, c) = (
                        source.baseAddress! + row * inputs, target.baseAddress! + row * outputs
                    )
                    look(a, coarse, into: c, threads, &greatest)
                    let least = greatest.reduce(-Float.infinity, max) - margin
                    count += multiply(a, exact, where: greatest, isAtLeast: least, into: c)
                }
            }
        }
        return Double(count) / Double(max(1, panels * x.rows))
    }

    /// Computes the approximate scores of one row, and the largest score of each panel.
    private func look(
        _ a: UnsafePointer<Float>, _ coarse: CoarseWeights, into c: UnsafeMutablePointer<Float>,
        _ threads: Int, _ greatest: inout [Float]
    ) {
        let (panel, outputs, panels) = (PackedWeights.panel, coarse.outputs, greatest.count)
        let row = coarseRows(a, of: coarse)[0]
        greatest.withUnsafeMutableBufferPointer { greatest in
            let greatest = greatest
            pool.run { thread in
                guard thread < threads else { return }
                let own = panels * thread / threads..<panels * (thread + 1) / threads
                let first = own.lowerBound * panel
                look(
                    row, coarse, panels: own, into: c + first,
                    min(outputs, own.upperBound * panel) - first,
                    greatest: greatest.baseAddress! + own.lowerBound)
            }
        }
    }

    /// Converts rows for coarse weights, and stores them in the working memory.
    func coarseRows(
        _ a: UnsafePointer<Float>, rows: Int = 1, of coarse: CoarseWeights
    ) -> CoarseRows {
        let stride = CoarseRows.header + (coarse.inputs + 7) / 8 * 8
        let result = CoarseRows(memory: scratch.bytes(rows * stride), stride: stride)
        var fine = [Float](repeating: 0, count: CoarseWeights.fineCount)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: coarse.inputs) { rest in
            for row in 0..<rows {
                let start = rest.baseAddress!
                start.update(from: a + row * coarse.inputs, count: coarse.inputs)
                for (place, input) in coarse.fineInputs.enumerated() {
                    fine[place] = rest[input]
                    rest[input] = 0
                }
                let (scales, codes) = result.parts(of: row)
                scales[0] = kernels.round_int8(start, rest.count, codes + fine.count)
                scales[1] = kernels.round_int8(fine, fine.count, codes)
            }
        }
        return result
    }

    /// Computes the approximate scores of a row in some panels, and the largest of each panel.
    func look(
        _ row: ck_int4_row, _ coarse: CoarseWeights, panels: Range<Int>,
        into c: UnsafeMutablePointer<Float>, _ count: Int, greatest: UnsafeMutablePointer<Float>
    ) {
        kernels.multiply_int4(
            row, coarse.inputs, coarse.address(ofPanel: panels.lowerBound), c, count, greatest)
    }

    /// Computes the exact scores of one row in the panels whose maximum reaches a threshold.
    ///
    /// Returns the number of these panels.
    private func multiply(
        _ x: UnsafePointer<Float>, _ weights: PackedWeights, where greatest: [Float],
        isAtLeast least: Float, into c: UnsafeMutablePointer<Float>
    ) -> Int {
        let wanted = greatest.indices.filter { greatest[$0] >= least }
        multiply(x, weights, panels: wanted, into: c)
        return wanted.count
    }

    /// Computes some panels of one row's product.
    private func multiply(
        _ x: UnsafePointer<Float>, _ weights: PackedWeights, panels: [Int],
        into c: UnsafeMutablePointer<Float>
    ) {
        let operand = operand(x, rows: 1, of: weights)
        convert(x, rows: 0..<1, weights.inputs, to: operand)
        pool.run { thread in
            for index in stride(from: thread, to: panels.count, by: pool.threads) {
                multiply(
                    operand, rows: 0..<1, weights, panels: panels[index]..<panels[index] + 1,
                    into: c, .store)
            }
        }
    }

    /// Computes some outputs of a linear layer for one row.
    ///
    /// Other outputs in the same panels of 32 are computed too. All other outputs do not change.
    ///
    /// - Parameters:
    ///   - x: Shape `[1, inputs]`.
    ///   - weights: The layer.
    ///   - outputs: Ranges of outputs.
    ///   - y: Shape `[1, outputs]`.
    public func linear(
        _ x: Activations, _ weights: PackedWeights, outputs: [Range<Int>],
        into y: inout Activations
    ) {
        precondition(x.rows == 1 && x.columns == weights.inputs, "inputs of some outputs")
        precondition(y.rows == 1 && y.columns == weights.outputs, "some outputs")
        let panels = Set(
            outputs.filter { !$0.isEmpty }.flatMap {
                $0.lowerBound / weights.step...($0.upperBound - 1) / weights.step
            }
        ).sorted()
        precondition(panels.last ?? 0 < weights.panels, "outputs of the layer")
        x.storage.withUnsafeBufferPointer { x in
            y.storage.withUnsafeMutableBufferPointer { y in
                multiply(x.baseAddress!, weights, panels: panels, into: y.baseAddress!)
            }
        }
    }

    /// Adds the product of a linear layer with one row.
    ///
    /// Inputs whose magnitude is not above their threshold are skipped.
    ///
    /// - Parameters:
    ///   - x: Shape `[1, units]`.
    ///   - least: The threshold of the magnitude of each unit's input.
    ///   - rows: The weights, unit by unit.
    ///   - y: Shape `[1, outputs]`; the product is added to it.
    /// - Returns: The number of inputs that were not skipped.
    @discardableResult
    public func addProduct(
        of x: Activations, above least: [Float], _ rows: UnitRows, to y: inout Activations
    ) -> Int {
        let part = rows.parts[rows.parts.count - 1]
        precondition(x.rows == 1 && y.rows == 1 && x.columns == rows.units, "sparse inputs")
        precondition(least.count == rows.units && y.columns == part.width, "sparse widths")
        let memory = scratch.bytes(rows.units * 8)
        let places = memory.assumingMemoryBound(to: UInt32.self)
        let factors = (memory + rows.units * 4).assumingMemoryBound(to: Float.self)
        let count = x.storage.withUnsafeBufferPointer { x in
            least.withUnsafeBufferPointer { least in
                kernels.select_f32(x.baseAddress!, least.baseAddress!, rows.units, places, factors)
            }
        }
        if rows.precision != .f32 {
            for index in 0..<count {
                factors[index] *= part.factors[Int(places[index])]
            }
        }
        y.storage.withUnsafeMutableBufferPointer { y in
            let c = y.baseAddress!
            // Outputs are divided among threads in multiples of 16.
            let blocks = (part.width + 15) / 16
            let threads = min(pool.threads, blocks)
            pool.run { thread in
                guard thread < threads else { return }
                let first = blocks * thread / threads * 16
                let last = min(part.width, blocks * (thread + 1) / threads * 16)
                kernels.formats[rows.precision].sum_rows(
                    rows.address(of: part, fromOutput: first), rows.stride, places, factors, count,
                    c + first, last - first)
            }
        }
        return count
    }
}

/// Rows of activations in 8 bits, with their fine inputs stored separately.
///
/// The fine inputs are 0 in the rows themselves.
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

    subscript(row: Int) -> ck_int4_row {
        let (scales, codes) = parts(of: row)
        return ck_int4_row(
            values: codes + CoarseWeights.fineCount, fine: codes, scale: scales[0],
            fine_scale: scales[1])
    }
}

extension Activations {
    /// Replaces a row by a vector.
    public mutating func set(_ values: [Float], row: Int) {
        precondition(values.count == columns && row < rows, "a value for every column")
        for column in 0..<columns { storage[row * columns + column] = values[column] }
    }

    /// Adds a vector to a row.
    public mutating func add(_ values: [Float], toRow row: Int) {
        precondition(values.count == columns, "a value for every column")
        for column in 0..<columns { storage[row * columns + column] += values[column] }
    }

    /// Sets values of a row to 0 if their magnitude is not above the threshold of their column.
    ///
    /// - Returns: The number of values that remain.
    @discardableResult
    public mutating func clear(row: Int, notAbove least: [Float]) -> Int {
        precondition(least.count == columns, "a size for every column")
        var count = 0
        for column in 0..<columns {
            let place = row * columns + column
            if abs(storage[place]) <= least[column] { storage[place] = 0 } else { count += 1 }
        }
        return count
    }
}
