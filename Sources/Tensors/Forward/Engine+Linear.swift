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
        precondition(x.columns == weights.inputs, "x needs one column for each input")
        precondition(y.columns == weights.outputs, "y needs one column for each output")
        let taken = rows ?? 0..<x.rows
        precondition(taken.upperBound <= x.rows, "the rows must be rows of x")
        precondition(firstRow + taken.count <= y.rows, "y needs a row for each row of the product")
        guard !taken.isEmpty, weights.panels > 0 else { return }
        let weights = widened(weights, rows: taken.count) ?? weights
        let (inputs, outputs) = (weights.inputs, weights.outputs)
        withPointers(writing: &y.storage, reading: x.storage) { y, x in
            let (c, x) = (y + firstRow * outputs, x + taken.lowerBound * inputs)
            let operand = operand(x, rows: taken.count, of: weights)
            split(
                rows: taken.count, panels: weights.panels, converts: operand.isConverted
            ) { rows in
                convert(x, rows: rows, inputs, to: operand)
            } multiplying: { rows, panels in
                multiply(operand, rows: rows, weights, panels: panels, into: c, epilogue)
            }
        }
    }

    /// The minimum number of rows for which weights in 4 bits are widened to 8 bits.
    ///
    /// Widening takes about as long as multiplying by 10 rows.
    static let widenedRows = 32

    /// Returns weights in int8 for a product of many rows with weights in 4 bits; nil for other
    /// products.
    private func widened(_ weights: PackedWeights, rows: Int) -> PackedWeights? {
        guard rows >= Self.widenedRows, weights.canWiden else { return nil }
        let widened = weights.widened(in: widenedWeights.piece(weights.widenedWords))
        pool.split(weights.panels) { panels, _ in weights.widen(panels, into: widened) }
        return widened
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
        operand.format.product(
            operand.rows(from: rows.lowerBound), rows.count, inputs,
            weights.panels(from: panels.lowerBound), weights.biases(fromPanel: panels.lowerBound),
            result, outputs, columns, epilogue.kernel)
    }

    /// Activations in the form that the kernels of one weight format read.
    struct Operand {
        /// The format of the weights.
        let format: ck_format
        /// The converted rows.
        ///
        /// A row of activations becomes `terms` rows whose sum it is: one row, or a high and a low
        /// 8-bit part.
        let all: ck_operand
        /// Whether ``Engine/convert(_:rows:_:to:)`` writes the rows.
        ///
        /// Otherwise the rows are the activations themselves.
        let isConverted: Bool

        /// The converted rows, beginning with those of a row of activations.
        func rows(from row: Int) -> ck_operand {
            let first = row * all.terms
            return ck_operand(
                values: all.values + first * all.stride, stride: all.stride, terms: all.terms,
                scales: all.scales.map { $0 + first }, zeros: all.zeros.map { $0 + first })
        }
    }

    /// Returns the operand of a product.
    ///
    /// ``convert(_:rows:_:to:)`` then writes the operand's rows.
    func operand(
        _ x: UnsafePointer<Float>, rows: Int, of weights: PackedWeights
    ) -> Operand {
        let format = kernels.formats[weights.precision]
        guard format.convert != nil else {
            return Operand(
                format: format,
                all: ck_operand(
                    values: x, stride: weights.inputs * MemoryLayout<Float>.stride, terms: 1,
                    scales: nil, zeros: nil),
                isConverted: false)
        }
        let terms = format.output_terms > 0 ? weights.activationTerms : 1
        let stride = format.rowBytes(weights.inputs)
        let count = rows * terms
        let memory = scratch.bytes(
            count * (stride + MemoryLayout<Float>.stride + MemoryLayout<Int32>.stride))
        let scales = memory + count * stride
        let zeros = scales + count * MemoryLayout<Float>.stride
        return Operand(
            format: format,
            all: ck_operand(
                values: memory, stride: stride, terms: terms,
                scales: scales.assumingMemoryBound(to: Float.self),
                zeros: zeros.assumingMemoryBound(to: Int32.self)),
            isConverted: true)
    }

    /// Converts some rows of activations for a product.
    func convert(
        _ x: UnsafePointer<Float>, rows: Range<Int>, _ columns: Int, to operand: Operand
    ) {
        guard operand.isConverted else { return }
        for row in rows {
            let target = operand.rows(from: row)
            operand.format.convert?(
                x + row * columns, columns, target.terms,
                UnsafeMutableRawPointer(mutating: target.values), target.stride,
                UnsafeMutablePointer(mutating: target.scales!),
                UnsafeMutablePointer(mutating: target.zeros!))
        }
    }

    /// Converts all rows and multiplies them with all panels.
    ///
    /// All threads are used if there is enough work.
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

    /// With at least this many rows for each thread, threads divide a product by rows only.
    ///
    /// A thread then multiplies the rows that it has converted, which are still in its caches.
    public static let rowsPerThread = Int(ck_block_rows)

    /// The number of pieces into which each thread's rows are divided.
    ///
    /// If other programs slow down one thread, idle threads compute its last pieces.
    private static let piecesPerThread = 3

    /// Returns the numbers of parts into which rows and panels are divided.
    ///
    /// They make the largest part as small as possible. More parts of rows are chosen only if the
    /// largest part becomes clearly smaller, because more threads then read each weight.
    private func parts(rows: Int, panels: Int) -> (rows: Int, panels: Int) {
        let threads = pool.threads
        var best = (rows: 1, panels: min(threads, panels))
        var bestWork: Int?
        for rowParts in 1...min(threads, max(rows / 12, 1)) {
            let panelParts = min(threads / rowParts, panels)
            let work =
                ((rows + rowParts - 1) / rowParts) * ((panels + panelParts - 1) / panelParts)
            if bestWork.map({ work * 20 < $0 * 19 }) ?? true {
                best = (rowParts, panelParts)
                bestWork = work
            }
        }
        return best
    }
}
