import CKernels

/// Computation of only the neurons that a predictor selects.
extension Engine {
    /// Computes a predictor's scores of all neurons.
    ///
    /// - Parameters:
    ///   - x: The input of the feed-forward block, `[tokens, inputs]`.
    ///   - predictor: The predictor.
    ///   - scores: The result, `[tokens, neurons]`.
    public func predict(
        _ x: Activations, _ predictor: NeuronPredictor, into scores: inout Activations
    ) {
        let (neurons, rows) = (predictor.thresholds.count, x.rows)
        precondition(x.columns == predictor.inputs, "x must have the predictor's inputs")
        scores.reshape(rows: rows, columns: neurons)
        let work = NeuronWork(predictor, sums: 0, threads: pool.threads)
        let memory = neuronScratch.bytes(work.bytes)
        withPointers(writing: &scores.storage, reading: x.storage) { scores, x in
            let predictorInput = prepare(x, rows: rows, for: predictor)
            pool.run { thread in
                let own = work.panels(of: thread)
                guard !own.isEmpty else { return }
                let part = work.part(of: thread, in: memory)
                let range = predictor.neurons(of: own)
                for row in 0..<rows {
                    score(predictorInput, row: row, predictor, panels: own, part)
                    (scores + row * neurons + range.lowerBound).update(
                        from: part.scores, count: range.count)
                }
            }
        }
    }

    /// Returns the neurons that a predictor selects for each token, in ascending order.
    public func named(by predictor: NeuronPredictor, for x: Activations) -> [[Int]] {
        var scores = Activations()
        predict(x, predictor, into: &scores)
        return (0..<x.rows).map { row in
            predictor.thresholds.indices.filter { !(scores[row, $0] <= predictor.thresholds[$0]) }
        }
    }

    /// Sets the values of all neurons that a predictor does not select to 0.
    ///
    /// - Parameters:
    ///   - values: The values of all neurons, `[tokens, neurons]`.
    ///   - x: The input of the feed-forward block, `[tokens, inputs]`.
    ///   - predictor: The predictor.
    public func clear(
        _ values: inout Activations, exceptPredictedFrom x: Activations,
        _ predictor: NeuronPredictor
    ) {
        var scores = Activations()
        predict(x, predictor, into: &scores)
        for row in 0..<values.rows {
            for column in 0..<values.columns
            where scores.storage[row * scores.columns + column] <= predictor.thresholds[column] {
                values.storage[row * values.columns + column] = 0
            }
        }
    }

    /// Adds the output of a feed-forward block for a small number of tokens.
    ///
    /// For each token, only the neurons that the predictor selects are computed.
    ///
    /// All tokens are multiplied with one small group of neurons before the next group, so that
    /// weights that several tokens need are read from memory once.
    ///
    /// - Parameters:
    ///   - x: The input of the block, `[tokens, inputs]`.
    ///   - other: The input of the predictor, of the same shape as x. Nil means x. If the predictor
    ///     computes the gates, its input must be x, because the block uses these gates.
    ///   - block: The block.
    ///   - y: Shape `[tokens, outputs]`. The output is added to y.
    /// - Returns: The number of computed neurons, summed over tokens.
    @discardableResult
    public func addFeedForward(
        of x: Activations, predictedFrom other: Activations? = nil, _ block: PredictedFeedForward,
        to y: inout Activations
    ) -> Int {
        let (predictor, other, rows) = (block.predictor, other ?? x, x.rows)
        let width = block.rows.parts[block.rows.parts.count - 1].width
        precondition(x.columns == predictor.inputs, "x must have the predictor's inputs")
        precondition(
            other.rows == rows && other.columns == x.columns,
            "the input of the predictor must have the shape of x")
        precondition(y.rows == rows && y.columns == width, "y must have the shape of the output")
        let work = NeuronWork(predictor, sums: rows * width, threads: pool.threads)
        let memory = neuronScratch.bytes(work.bytes)
        var counts = [Int](repeating: 0, count: work.threads)
        let inputs = predictor.inputs
        withPointers(writing: &counts, reading: x.storage, other.storage) { counts, x, other in
            let predictorInput = prepare(other, rows: rows, for: predictor)
            pool.run { thread in
                guard thread < work.threads else { return }
                let part = work.part(of: thread, in: memory)
                part.sums.update(repeating: 0, count: rows * width)
                for panels in work.blocks(of: thread, rows: rows) {
                    let range = predictor.neurons(of: panels)
                    for row in 0..<rows {
                        score(predictorInput, row: row, predictor, panels: panels, part)
                        let named = select(predictor, range, part)
                        counts[thread] += named
                        guard named > 0 else { continue }
                        add(
                            named, of: block, x + row * inputs, part, from: range.lowerBound,
                            to: part.sums + row * width)
                    }
                }
            }
        }
        for thread in 0..<work.threads {
            kernels.add_f32(&y.storage, work.part(of: thread, in: memory).sums, rows * width)
        }
        if let bias = block.outputBias { for row in 0..<rows { y.add(bias, toRow: row) } }
        return counts.reduce(0, +)
    }

    /// Writes the indices of the selected neurons to the places of a part, in ascending order.
    ///
    /// Returns the number of selected neurons.
    private func select(
        _ predictor: NeuronPredictor, _ range: Range<Int>, _ part: NeuronWork.Part
    ) -> Int {
        withPointers(reading: predictor.thresholds) { thresholds in
            var count = 0
            for place in 0..<range.count {
                let neuron = range.lowerBound + place
                part.places[count] = UInt32(truncatingIfNeeded: neuron)
                count &+= part.scores[place] <= thresholds[neuron] ? 0 : 1
            }
            return count
        }
    }

    /// Adds the output of one token's selected neurons to `sums`.
    ///
    /// The first `count` places of the part are the indices of the selected neurons. `first` is the
    /// index of the neuron to which the first score of the part belongs.
    private func add(
        _ count: Int, of block: PredictedFeedForward, _ x: UnsafePointer<Float>,
        _ part: NeuronWork.Part, from first: Int, to sums: UnsafeMutablePointer<Float>
    ) {
        let rows = block.rows
        let last = rows.parts[rows.parts.count - 1]
        let known = block.predictor.knowsGates ? 1 : 0
        if known > 0 {
            // Moves the gates of the selected neurons together. No gate is overwritten before it is
            // read.
            for place in 0..<count {
                part.products[place] = part.products[Int(part.places[place]) - first]
            }
        }
        for (index, incoming) in rows.parts.dropLast().enumerated() {
            let products = part.products + (known + index) * count
            kernels.formats[rows.precision].dot_rows(
                rows.address(of: incoming), rows.stride, part.places, count, x, incoming.width,
                products)
            if rows.precision != .f32 {
                for place in 0..<count {
                    products[place] *= incoming.factors[Int(part.places[place])]
                }
            }
            if let bias = block.biases[index] {
                for place in 0..<count { products[place] += bias[Int(part.places[place])] }
            }
        }
        kernels.activate_f32(part.products, count, block.activation.kernel, part.scores)
        var kept = 0
        for place in 0..<count {
            let (neuron, value) = (part.places[place], part.scores[place])
            part.places[kept] = neuron
            part.scores[kept] = value * last.factors[Int(neuron)]
            kept += abs(value) <= block.thresholds[Int(neuron)] ? 0 : 1
        }
        kernels.formats[rows.precision].sum_rows(
            rows.address(of: last), rows.stride, part.places, part.scores, kept, sums, last.width)
    }

    /// The activations of tokens, converted for the method of a predictor.
    private enum PredictorInput {
        case coarse(CoarseRows)
        case product(Operand)
    }

    /// Converts the activations of tokens for a predictor, in memory that all threads read.
    private func prepare(
        _ x: UnsafePointer<Float>, rows: Int, for predictor: NeuronPredictor
    ) -> PredictorInput {
        func converted(_ x: UnsafePointer<Float>, for weights: PackedWeights) -> Operand {
            let operand = operand(x, rows: rows, of: weights)
            convert(x, rows: 0..<rows, weights.inputs, to: operand)
            return operand
        }
        switch predictor.method {
        case .coarse(let weights, _, _): return .coarse(coarseRows(x, rows: rows, of: weights[0]))
        case .gate(let weights, _): return .product(converted(x, for: weights))
        case .lowRank(let down, let up):
            return withUnsafeTemporaryAllocation(
                of: Float.self, capacity: rows * down.outputs
            ) { hidden in
                let hidden = hidden.baseAddress!
                multiply(
                    converted(x, for: down), rows: 0..<rows, down, panels: 0..<down.panels,
                    into: hidden, .store)
                return .product(converted(hidden, for: up))
            }
        }
    }

    /// Computes one token's scores of the neurons in some panels, and stores them in a part.
    private func score(
        _ predictorInput: PredictorInput, row: Int, _ predictor: NeuronPredictor,
        panels: Range<Int>,
        _ part: NeuronWork.Part
    ) {
        let range = predictor.neurons(of: panels)
        // The index of the product's first output in a matrix of all rows and outputs.
        let before = row * predictor.thresholds.count + range.lowerBound
        switch (predictorInput, predictor.method) {
        case (.coarse(let rows), .coarse(let weights, let biases, let activation)):
            let row = rows[row]
            for (index, weights) in weights.enumerated() {
                let products = part.products + index * range.count
                approximateScores(
                    row, weights, panels: panels, into: products, range.count,
                    maxima: part.maxima)
                guard let bias = biases[index] else { continue }
                for place in 0..<range.count { products[place] += bias[range.lowerBound + place] }
            }
            if activation == .relu {
                part.scores.update(from: part.products, count: range.count)
            } else {
                kernels.activate_f32(part.products, range.count, activation.kernel, part.scores)
                for place in 0..<range.count { part.scores[place] = abs(part.scores[place]) }
            }
        case (.product(let operand), .gate(let weights, let activation)):
            multiply(
                operand, rows: row..<row + 1, weights, panels: panels,
                into: part.products - before, .store)
            (part.products + range.count).update(repeating: 1, count: range.count)
            kernels.activate_f32(part.products, range.count, activation.kernel, part.scores)
            for place in 0..<range.count { part.scores[place] = abs(part.scores[place]) }
        case (.product(let operand), .lowRank(_, let up)):
            multiply(
                operand, rows: row..<row + 1, up, panels: panels, into: part.scores - before,
                .store)
        default: preconditionFailure("the input was prepared for another predictor")
        }
    }
}

extension NeuronPredictor {
    var inputs: Int {
        switch method {
        case .coarse(let weights, _, _): weights[0].inputs
        case .gate(let weights, _): weights.inputs
        case .lowRank(let down, _): down.inputs
        }
    }

    func neurons(of panels: Range<Int>) -> Range<Int> {
        panels.lowerBound * Self.panel..<min(thresholds.count, panels.upperBound * Self.panel)
    }
}

/// The division of a block's neurons among threads, and the working memory of each thread.
private struct NeuronWork {
    let threads: Int
    private let panels: Int
    private let capacity: Int
    private let sums: Int

    /// The number of panels in a group if there are several tokens.
    ///
    /// The weights of a group stay in the cache of a core.
    private static let panelsTogether = 4

    init(_ predictor: NeuronPredictor, sums: Int, threads: Int) {
        panels = predictor.panels
        self.threads = max(1, min(threads, panels))
        capacity = (panels / self.threads + 1) * NeuronPredictor.panel
        self.sums = (sums + 15) / 16 * 16
    }

    private var floats: Int { 5 * capacity + sums }
    var bytes: Int { threads * floats * MemoryLayout<Float>.stride }

    func panels(of thread: Int) -> Range<Int> {
        guard thread < threads else { return 0..<0 }
        return panels * thread / threads..<panels * (thread + 1) / threads
    }

    /// The groups of panels of a thread: one group for one token, several for several tokens.
    func blocks(of thread: Int, rows: Int) -> [Range<Int>] {
        let own = panels(of: thread)
        guard rows > 1 else { return own.isEmpty ? [] : [own] }
        return stride(from: own.lowerBound, to: own.upperBound, by: Self.panelsTogether).map {
            $0..<min($0 + Self.panelsTogether, own.upperBound)
        }
    }

    /// One thread's working memory.
    struct Part {
        /// The products with the gate and up projections.
        let products: UnsafeMutablePointer<Float>
        let scores: UnsafeMutablePointer<Float>
        let places: UnsafeMutablePointer<UInt32>
        let maxima: UnsafeMutablePointer<Float>
        let sums: UnsafeMutablePointer<Float>
    }

    func part(of thread: Int, in memory: UnsafeMutableRawPointer) -> Part {
        let start = memory.assumingMemoryBound(to: Float.self) + thread * floats
        let places = UnsafeMutableRawPointer(start + 3 * capacity)
        return Part(
            products: start, scores: start + 2 * capacity,
            places: places.assumingMemoryBound(to: UInt32.self), maxima: start + 4 * capacity,
            sums: start + 5 * capacity)
    }
}
