import CKernels

/// What computes only the neurons that a predictor names.
extension Engine {
    /// A predictor's scores of all neurons.
    ///
    /// - Parameters:
    ///   - x: What enters the feed-forward block, `[tokens, inputs]`.
    ///   - predictor: The predictor.
    ///   - scores: Gets `[tokens, neurons]`.
    public func predict(
        _ x: Activations, _ predictor: NeuronPredictor, into scores: inout Activations
    ) {
        let (neurons, rows) = (predictor.least.count, x.rows)
        precondition(x.columns == predictor.inputs, "a predictor's inputs")
        scores.reshape(rows: rows, columns: neurons)
        let work = NeuronWork(predictor, outputs: 0, threads: pool.threads)
        let memory = neuronScratch.bytes(work.bytes)
        x.storage.withUnsafeBufferPointer { x in
            scores.storage.withUnsafeMutableBufferPointer { scores in
                for row in 0..<rows {
                    let target = scores.baseAddress! + row * neurons
                    let guess = prepare(x.baseAddress! + row * predictor.inputs, for: predictor)
                    pool.run { thread in
                        let own = work.panels(of: thread)
                        guard !own.isEmpty else { return }
                        let part = work.part(of: thread, in: memory)
                        let range = predictor.neurons(of: own)
                        score(guess, predictor, panels: own, part)
                        (target + range.lowerBound).update(from: part.scores, count: range.count)
                    }
                }
            }
        }
    }

    /// The units whose scores for a token are above their least, ascending.
    public func named(by predictor: NeuronPredictor, for x: Activations, row: Int = 0) -> [Int] {
        var (one, scores) = (Activations(), Activations())
        select(x, rows: [row], into: &one)
        predict(one, predictor, into: &scores)
        return predictor.least.indices.filter { !(scores[0, $0] <= predictor.least[$0]) }
    }

    /// Clears the values of neurons that a predictor does not name.
    ///
    /// - Parameters:
    ///   - values: Of all neurons, `[tokens, neurons]`.
    ///   - x: What enters the feed-forward block, `[tokens, inputs]`.
    ///   - predictor: The predictor.
    public func clear(
        _ values: inout Activations, exceptPredictedFrom x: Activations,
        _ predictor: NeuronPredictor
    ) {
        var scores = Activations()
        predict(x, predictor, into: &scores)
        for row in 0..<values.rows {
            for column in 0..<values.columns
            where scores.storage[row * scores.columns + column] <= predictor.least[column] {
                values.storage[row * values.columns + column] = 0
            }
        }
    }

    /// Adds what a feed-forward block gives for one token, computing only the neurons that its
    /// predictor names.
    ///
    /// - Parameters:
    ///   - x: What enters the block, `[1, inputs]`.
    ///   - other: What the predictor scores by where that is something else, `[1, inputs]`; not
    ///     for gates.
    ///   - block: The block.
    ///   - y: Shape `[1, outputs]`; is added to.
    /// - Returns: How many neurons were computed.
    @discardableResult
    public func addFeedForward(
        of x: Activations, predictedFrom other: Activations? = nil, _ block: PredictedFeedForward,
        to y: inout Activations
    ) -> Int {
        let (predictor, other) = (block.predictor, other ?? x)
        let last = block.rows.parts[block.rows.parts.count - 1]
        precondition(x.rows == 1 && x.columns == predictor.inputs, "a predicted block's inputs")
        precondition(other.rows == 1 && other.columns == x.columns, "what predicts a block")
        precondition(y.rows == 1 && y.columns == last.width, "a predicted block's outputs")
        let work = NeuronWork(predictor, outputs: last.width, threads: pool.threads)
        let memory = neuronScratch.bytes(work.bytes)
        var counts = [Int](repeating: 0, count: work.threads)
        x.storage.withUnsafeBufferPointer { x in
            let x = x.baseAddress!
            let guess = other.storage.withUnsafeBufferPointer {
                prepare($0.baseAddress!, for: predictor)
            }
            counts.withUnsafeMutableBufferPointer { counts in
                let counts = counts
                pool.run { thread in
                    guard thread < work.threads else { return }
                    let part = work.part(of: thread, in: memory)
                    part.sums.update(repeating: 0, count: last.width)
                    let own = work.panels(of: thread)
                    guard !own.isEmpty else { return }
                    score(guess, predictor, panels: own, part)
                    let range = predictor.neurons(of: own)
                    let named = select(predictor, range, part)
                    counts[thread] = named
                    if named > 0 { add(named, of: block, x, part, from: range.lowerBound) }
                }
            }
        }
        y.storage.withUnsafeMutableBufferPointer { y in
            for thread in 0..<work.threads {
                kernels.add_f32(y.baseAddress!, work.part(of: thread, in: memory).sums, last.width)
            }
        }
        if let bias = block.outputBias { y.add(bias, toRow: 0) }
        return counts.reduce(0, +)
    }

    /// The places of neurons whose scores are above their least, in order; returns how many.
    private func select(
        _ predictor: NeuronPredictor, _ range: Range<Int>, _ part: NeuronWork.Part
    ) -> Int {
        predictor.least.withUnsafeBufferPointer { least in
            var count = 0
            for place in 0..<range.count {
                let neuron = range.lowerBound + place
                part.places[count] = UInt32(truncatingIfNeeded: neuron)
                count &+= part.scores[place] <= least[neuron] ? 0 : 1
            }
            return count
        }
    }

    /// Adds what the first neurons of a part's places, which has those from one on, give to its sums.
    private func add(
        _ count: Int, of block: PredictedFeedForward, _ x: UnsafePointer<Float>,
        _ part: NeuronWork.Part, from first: Int
    ) {
        let rows = block.rows
        let last = rows.parts[rows.parts.count - 1]
        let known = block.predictor.knowsGates ? 1 : 0
        if known > 0 {
            // What the predictor left of all neurons is brought together; none is overwritten early.
            for place in 0..<count {
                part.products[place] = part.products[Int(part.places[place]) - first]
            }
        }
        for (index, incoming) in rows.parts.dropLast().enumerated() {
            let products = part.products + (known + index) * count
            kernels.dotRows(rows.precision)(
                rows.address(of: incoming), rows.stride, part.places, count, x, incoming.width,
                products)
            if rows.precision != .f32 {
                for place in 0..<count {
                    products[place] *= rows.factor(of: incoming, unit: Int(part.places[place]))
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
            part.scores[kept] = value * rows.factor(of: last, unit: Int(neuron))
            kept += abs(value) <= block.least[Int(neuron)] ? 0 : 1
        }
        kernels.sumRows(rows.precision)(
            rows.address(of: last), rows.stride, part.places, part.scores, kept, part.sums,
            last.width)
    }

    /// A token as a predictor takes it.
    private enum Guess {
        case coarse(CoarseRow)
        case product(Operand)
    }

    /// Brings a token to where all threads read it.
    private func prepare(_ x: UnsafePointer<Float>, for predictor: NeuronPredictor) -> Guess {
        switch predictor.method {
        case .coarse(let weights, _, _): return .coarse(coarseRow(x, of: weights[0]))
        case .gate(let weights):
            let operand = operand(x, rows: 1, of: weights)
            convert(x, rows: 0..<1, weights.inputs, to: operand)
            return .product(operand)
        case .lowRank(let down, let up):
            let narrow = operand(x, rows: 1, of: down)
            convert(x, rows: 0..<1, down.inputs, to: narrow)
            return withUnsafeTemporaryAllocation(of: Float.self, capacity: down.outputs) { hidden in
                let hidden = hidden.baseAddress!
                multiply(narrow, rows: 0..<1, down, panels: 0..<down.panels, into: hidden, .store)
                let wide = operand(hidden, rows: 1, of: up)
                convert(hidden, rows: 0..<1, up.inputs, to: wide)
                return .product(wide)
            }
        }
    }

    /// The scores of the neurons of some panels, into a part's scores.
    private func score(
        _ guess: Guess, _ predictor: NeuronPredictor, panels: Range<Int>, _ part: NeuronWork.Part
    ) {
        let range = predictor.neurons(of: panels)
        switch (guess, predictor.method) {
        case (.coarse(let row), .coarse(let weights, let biases, let activation)):
            for (index, weights) in weights.enumerated() {
                let products = part.products + index * range.count
                look(
                    row, weights, panels: panels, into: products, range.count,
                    greatest: part.greatest)
                guard let bias = biases[index] else { continue }
                for place in 0..<range.count { products[place] += bias[range.lowerBound + place] }
            }
            if activation == .relu {
                part.scores.update(from: part.products, count: range.count)
            } else {
                kernels.activate_f32(part.products, range.count, activation.kernel, part.scores)
                for place in 0..<range.count { part.scores[place] = abs(part.scores[place]) }
            }
        case (.product(let operand), .gate(let weights)):
            multiply(
                operand, rows: 0..<1, weights, panels: panels,
                into: part.products - range.lowerBound, .store)
            (part.products + range.count).update(repeating: 1, count: range.count)
            kernels.activate_f32(
                part.products, range.count, Epilogue.swiglu.kernel, part.scores)
            for place in 0..<range.count { part.scores[place] = abs(part.scores[place]) }
        case (.product(let operand), .lowRank(_, let up)):
            // The product's outputs are counted from the first panel on.
            multiply(
                operand, rows: 0..<1, up, panels: panels, into: part.scores - range.lowerBound,
                .store)
        default: preconditionFailure("a token of another predictor")
        }
    }
}

extension NeuronPredictor {
    var inputs: Int {
        switch method {
        case .coarse(let weights, _, _): weights[0].inputs
        case .gate(let weights): weights.inputs
        case .lowRank(let down, _): down.inputs
        }
    }

    func neurons(of panels: Range<Int>) -> Range<Int> {
        panels.lowerBound * Self.panel..<min(least.count, panels.upperBound * Self.panel)
    }
}

/// How threads share the neurons of a block, and where each works.
private struct NeuronWork {
    let threads: Int
    private let panels: Int
    private let capacity: Int
    private let outputs: Int

    init(_ predictor: NeuronPredictor, outputs: Int, threads: Int) {
        panels = predictor.panels
        self.threads = max(1, min(threads, panels))
        capacity = (panels / self.threads + 1) * NeuronPredictor.panel
        self.outputs = (outputs + 15) / 16 * 16
    }

    private var floats: Int { 5 * capacity + outputs }
    var bytes: Int { threads * floats * MemoryLayout<Float>.stride }

    func panels(of thread: Int) -> Range<Int> {
        guard thread < threads else { return 0..<0 }
        return panels * thread / threads..<panels * (thread + 1) / threads
    }

    /// One thread's working memory.
    struct Part {
        /// The products of gates and ups.
        let products: UnsafeMutablePointer<Float>
        let scores: UnsafeMutablePointer<Float>
        let places: UnsafeMutablePointer<UInt32>
        let greatest: UnsafeMutablePointer<Float>
        let sums: UnsafeMutablePointer<Float>
    }

    func part(of thread: Int, in memory: UnsafeMutableRawPointer) -> Part {
        let start = memory.assumingMemoryBound(to: Float.self) + thread * floats
        let places = UnsafeMutableRawPointer(start + 3 * capacity)
        return Part(
            products: start, scores: start + 2 * capacity,
            places: places.assumingMemoryBound(to: UInt32.self), greatest: start + 4 * capacity,
            sums: start + 5 * capacity)
    }
}
