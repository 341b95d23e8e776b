import CKernels

/// Products with some outputs or some inputs of a linear layer.
extension Engine {
    /// Computes some outputs of a linear layer for one row.
    ///
    /// The function computes every panel of 32 outputs that contains a requested output. Outputs in
    /// other panels do not change.
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
        precondition(
            x.rows == 1 && x.columns == weights.inputs, "x must have the shape [1, inputs]")
        precondition(
            y.rows == 1 && y.columns == weights.outputs, "y must have the shape [1, outputs]")
        let panels = Set(
            outputs.filter { !$0.isEmpty }.flatMap {
                $0.lowerBound / weights.step...($0.upperBound - 1) / weights.step
            }
        ).sorted()
        precondition(panels.last ?? 0 < weights.panels, "an output is not in the layer")
        withPointers(writing: &y.storage, reading: x.storage) { y, x in
            multiply(x, weights, panels: panels, into: y)
        }
    }

    /// Adds the product of one row and a linear layer.
    ///
    /// Inputs whose magnitude is not above their threshold are skipped.
    ///
    /// - Parameters:
    ///   - x: Shape `[1, units]`.
    ///   - thresholds: The threshold of each input's magnitude.
    ///   - rows: The weights, unit by unit.
    ///   - y: Shape `[1, outputs]`. The product is added to y.
    /// - Returns: The number of inputs that were not skipped.
    @discardableResult
    public func addProduct(
        of x: Activations, above thresholds: [Float], _ rows: UnitRows, to y: inout Activations
    ) -> Int {
        let part = rows.parts[rows.parts.count - 1]
        precondition(x.rows == 1 && x.columns == rows.units, "x must have the shape [1, units]")
        precondition(y.rows == 1 && y.columns == part.width, "y must have the shape [1, outputs]")
        precondition(thresholds.count == rows.units, "every unit needs a threshold")
        let memory = scratch.bytes(rows.units * 8)
        let places = memory.assumingMemoryBound(to: UInt32.self)
        let factors = (memory + rows.units * 4).assumingMemoryBound(to: Float.self)
        let count = kernels.select_f32(x.storage, thresholds, rows.units, places, factors)
        if rows.precision != .f32 {
            for index in 0..<count {
                factors[index] *= part.factors[Int(places[index])]
            }
        }
        withPointers(writing: &y.storage) { y in
            // Outputs are divided among threads in multiples of 16.
            let blocks = (part.width + 15) / 16
            let threads = min(pool.threads, blocks)
            pool.run { thread in
                guard thread < threads else { return }
                let first = blocks * thread / threads * 16
                let last = min(part.width, blocks * (thread + 1) / threads * 16)
                kernels.formats[rows.precision].sum_rows(
                    rows.address(of: part, fromOutput: first), rows.stride, places, factors, count,
                    y + first, last - first)
            }
        }
        return count
    }

    /// Computes the outputs of some panels for one row.
    func multiply(
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
}
