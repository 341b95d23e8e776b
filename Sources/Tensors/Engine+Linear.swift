import CKernels

extension Engine {
    /// Computes a linear layer, `y = epilogue(x · Wᵀ + b)`.
    ///
    /// - Parameters:
    ///   - x: Shape `[tokens, inputs]`.
    ///   - rows: The rows of x to multiply; nil for all.
    ///   - weights: Shape `[outputs, inputs]`, packed.
    ///   - y: Shape `[tokens, outputs]`.
    ///   - firstRow: The first row of y that is written.
    ///   - epilogue: The function that is applied to each product.
    /// - Complexity: O(tokens · inputs · outputs)
    public func linear(
        _ x: Activations, rows: Range<Int>? = nil, _ weights: PackedWeights,
        into y: inout Activations, firstRow: Int = 0, _ epilogue: Epilogue = .store
    ) {
        precondition(x.columns == weights.inputs && y.columns == weights.outputs, "linear widths")
        let taken = rows ?? 0..<x.rows
        precondition(taken.upperBound <= x.rows && firstRow + taken.count <= y.rows, "linear rows")
        guard !taken.isEmpty, weights.panels > 0 else { return }
        let (inputs, outputs) = (weights.inputs, weights.outputs)
        x.storage.withUnsafeBufferPointer { source in
            y.storage.withUnsafeMutableBufferPointer { target in
                let x = source.baseAddress! + taken.lowerBound * inputs
                let operand = operand(x, rows: taken.count, of: weights)
                let c = target.baseAddress! + firstRow * outputs
                let converts = if case .floats = operand { false } else { true }
                split(rows: taken.count, panels: weights.panels, converts: converts) { rows in
                    convert(x, rows: rows, inputs, to: operand)
                } multiplying: { rows, panels in
                    multiply(
                        operand, rows: rows, weights, panels: panels, into: c, epilogue)
                }
            }
        }
    }

    /// Multiplies converted rows with some panels.
    func multiply(
        _ operand: Operand, rows: Range<Int>, _ weights: PackedWeights, panels: Range<Int>,
        into c: UnsafeMutablePointer<Float>, _ epilogue: Epilogue
    ) {
        let (inputs, outputs) = (weights.inputs, weights.outputs)
        let first = panels.lowerBound * weights.step
        let result = c + rows.lowerBound * outputs + first
        let columns = min(outputs, panels.upperBound * weights.step) - first
        let bias = weights.biases(fromPanel: panels.lowerBound)
        let packed = weights.address(ofPanel: panels.lowerBound)
        func multiplyHalves(
            _ a: UnsafeRawPointer, _ scales: UnsafePointer<Float>?, stride: Int
        ) {
            let multiply = weights.precision == .f16 ? kernels.gemm_f16 : kernels.gemm_bf16
            multiply(
                a, scales, stride, rows.count, inputs, packed.assumingMemoryBound(to: UInt16.self),
                bias, result, outputs, columns, epilogue.kernel)
        }
        switch operand {
        case .floats(let a) where weights.precision == .f32:
            kernels.gemm_f32(
                a + rows.lowerBound * inputs, inputs, rows.count, inputs,
                packed.assumingMemoryBound(to: Float.self), bias, result, outputs, columns,
                epilogue.kernel)
        case .floats(let a):
            multiplyHalves(a + rows.lowerBound * inputs, nil, stride: inputs)
        case .halves(let a, let stride, let scales):
            multiplyHalves(
                a + rows.lowerBound * stride * 2, scales.map { $0 + rows.lowerBound },
                stride: stride)
        case .integers(let a, _):
            kernels.gemm_int8(
                a.dropping(rows.lowerBound * weights.activationTerms), rows.count,
                weights.activationTerms, inputs,
                ck_int8_weights(
                    panels: packed.assumingMemoryBound(to: Int8.self),
                    scales: weights.scales(fromPanel: panels.lowerBound),
                    sums: weights.sums(fromPanel: panels.lowerBound)),
                bias, result, outputs, columns, epilogue.kernel)
        }
    }

    /// Activations in the form that the kernel of a precision reads.
    enum Operand {
        /// Floats.
        case floats(UnsafePointer<Float>)
        /// Rows of pairs of 16-bit floats, and the number of pairs from one row to the next. Rows
        /// of f16 have scales.
        case halves(
            UnsafeMutablePointer<UInt16>, stride: Int, scales: UnsafeMutablePointer<Float>?)
        case integers(ck_int8_rows, terms: Int)
    }

    /// The memory for the activations of a product; ``convert(_:rows:_:to:)`` writes them there.
    func operand(
        _ x: UnsafePointer<Float>, rows: Int, of weights: PackedWeights
    ) -> Operand {
        let columns = weights.inputs
        switch weights.precision {
        case .f16 where kernels.round_f16 != nil, .bf16 where kernels.round_bf16 != nil:
            let pairs = (columns + 1) / 2
            let memory = scratch.bytes(rows * (pairs + 1) * MemoryLayout<UInt32>.stride)
            let scales = memory + rows * pairs * MemoryLayout<UInt32>.stride
            return .halves(
                memory.assumingMemoryBound(to: UInt16.self), stride: pairs,
                scales: weights.precision == .f16
                    ? scales.assumingMemoryBound(to: Float.self) : nil)
        case .f32, .f16, .bf16: return .floats(x)
        case .int8:
            let (terms, stride) = (weights.activationTerms, (columns + 3) / 4 * 4)
            let count = rows * terms
            let memory = scratch.bytes(
                count * (stride + MemoryLayout<Float>.stride + MemoryLayout<Int32>.stride))
            let scales = (memory + count * stride).assumingMemoryBound(to: Float.self)
            let zeros = UnsafeMutableRawPointer(scales + count).assumingMemoryBound(to: Int32.self)
            return .integers(
                ck_int8_rows(
                    values: memory.assumingMemoryBound(to: UInt8.self), stride: stride,
                    scales: scales, zeros: zeros),
                terms: terms)
        }
    }

    /// Converts some rows of activations for a product.
    func convert(
        _ x: UnsafePointer<Float>, rows: Range<Int>, _ columns: Int, to operand: Operand
    ) {
        switch operand {
        case .floats: break
        case .halves(let halves, let stride, let scales):
            for row in rows {
                let (from, to) = (x + row * columns, halves + row * stride * 2)
                if let scales {
                    scales[row] = kernels.round_f16?(from, columns, to) ?? 1
                } else {
                    kernels.round_bf16?(from, columns, to)
                }
            }
        case .integers(let integers, let terms):
            for row in rows {
                let first = row * terms
                kernels.quantize_int8(
                    x + row * columns, columns, terms,
                    UnsafeMutablePointer(mutating: integers.values) + first * integers.stride,
                    integers.stride, UnsafeMutablePointer(mutating: integers.scales) + first,
                    UnsafeMutablePointer(mutating: integers.zeros) + first)
            }
        }
    }

    /// Converts all rows and multiplies them with all panels, on all threads if there is enough
    /// work.
    private func split(
        rows: Int, panels: Int, converts: Bool,
        converting convert: (_ rows: Range<Int>) -> Void,
        multiplying multiply: (_ rows: Range<Int>, _ panels: Range<Int>) -> Void
    ) {
        if rows >= Self.rowsPerThread * pool.threads {
            return pool.share(pool.threads == 1 ? 1 : pool.threads * Self.piecesPerThread, of: rows)
            {
                convert($0)
                multiply($0, 0..<panels)
            }
        }
        if converts { splitRows(rows, convert) }
        let (rowParts, panelParts) = parts(rows: rows, panels: panels)
        pool.run { thread in
            let (rowPart, panelPart) = (thread / panelParts, thread % panelParts)
            guard rowPart < rowParts else { return }
            let top = rows * rowPart / rowParts
            let bottom = rows * (rowPart + 1) / rowParts
            let first = panels * panelPart / panelParts
            let last = panels * (panelPart + 1) / panelParts
            if top < bottom, first < last { multiply(top..<bottom, first..<last) }
        }
    }

    /// The number of rows for each thread from which products are divided by rows.
    ///
    /// A thread then multiplies rows that it has written before, which are still in its caches.
    public static let rowsPerThread = Int(ck_block_rows)

    /// The number of pieces into which each thread's rows are divided.
    ///
    /// If other programs slow one thread, idle threads take its last pieces.
    private static let piecesPerThread = 3

    /// The numbers of parts into which rows and panels are divided, so that no thread gets much
    /// more than its share.
    ///
    /// A small number of rows is divided by panels first, because each weight is then read by only
    /// one thread.
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

extension ck_int8_rows {
    /// The rows without the first `count`.
    func dropping(_ count: Int) -> ck_int8_rows {
        ck_int8_rows(
            values: values + count * stride, stride: stride, scales: scales + count,
            zeros: zeros + count)
    }
}
