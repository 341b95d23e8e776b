public import Tensors

/// Sees what flows through a forward pass, for calibration, and may change it.
public protocol ForwardObserver: AnyObject {
    /// Called before a component's output projection, to change its inputs, `[tokens, units'
    /// columns]`.
    func filter(_ component: Component, inputs: inout Activations)
    /// Called before a component's output projection with its inputs, `[tokens, units' columns]`.
    func willProject(_ component: Component, inputs: Activations)
    /// Called with the residual stream before each layer that runs.
    func willEnterLayer(_ layer: Int, hidden: Activations)
}

extension ForwardObserver {
    /// Leaves the inputs of output projections as they are.
    public func filter(_ component: Component, inputs: inout Activations) {}
    /// Ignores the inputs of output projections.
    public func willProject(_ component: Component, inputs: Activations) {}
    /// Ignores the residual stream.
    public func willEnterLayer(_ layer: Int, hidden: Activations) {}
}

/// Runs one model on one engine, keeping its working memory between calls.
public struct ForwardPass {
    /// The model that runs; another may take its place and use the same working memory.
    public var model: Model
    /// What it runs on.
    public let engine: Engine
    /// Whether only the greatest logit of a row need be right: then a model whose plan says so looks
    /// at words coarsely first.
    public var isGreedy = false
    /// Told of every component's inputs while it is set.
    public weak var observer: (any ForwardObserver)?

    /// The residual stream, `[tokens, hidden]`.
    var hidden = Activations()
    var normed = Activations()
    var fused = Activations()
    var context = Activations()
    var activation = Activations()
    var selected = Activations()
    var scratch = AttentionScratch()
    /// What enters attention and feed-forward blocks, kept where a predictor looks ahead.
    var enteringAttention = Trail()
    var enteringFeedForward = Trail()

    /// What enters a block, and what entered the same block of the layer before.
    struct Trail {
        private(set) var earlier = Activations()
        private var latest = Activations()

        /// Goes on to the next layer.
        mutating func advance() {
            swap(&earlier, &latest)
            latest = Activations()
        }

        /// Adds rows that enter the block of this layer.
        mutating func append(_ rows: Activations) { latest.append(rows) }
    }

    /// Creates a forward pass of a model on an engine.
    public init(_ model: Model, on engine: Engine) {
        self.model = model
        self.engine = engine
    }

    /// Runs whole sequences and returns their last hidden states, `[tokens, hidden]`, after the
    /// final norm where the architecture has one.
    public mutating func hiddenStates(of batch: TokenBatch) -> Activations {
        run(batch)
        finish(rows: 0..<hidden.rows)
        return selected
    }

    /// Takes up a pass at a layer and returns the last hidden states, as ``hiddenStates(of:)``.
    ///
    /// - Parameters:
    ///   - batch: The sequences.
    ///   - first: The first layer to run.
    ///   - entering: The residual stream before that layer.
    /// - Returns: Shape `[tokens, hidden]`.
    public mutating func hiddenStates(
        of batch: TokenBatch, from first: Int, entering: Activations
    ) -> Activations {
        hidden = entering
        runLayers(first..<model.layers.count, of: batch)
        finish(rows: 0..<hidden.rows)
        return selected
    }

    /// The residual stream behind one layer, `[tokens, hidden]`.
    ///
    /// - Parameters:
    ///   - layer: The layer's index.
    ///   - batch: The sequences.
    ///   - entering: The residual stream before it.
    /// - Returns: The stream that enters the next layer.
    public mutating func stream(
        behind layer: Int, of batch: TokenBatch, entering: Activations
    ) -> Activations {
        hidden = entering
        runLayers(layer..<layer + 1, of: batch)
        return hidden
    }

    /// Runs whole sequences and hands over their logits a few rows at a time, because all of them
    /// together would be far larger than the model.
    ///
    /// - Parameters:
    ///   - batch: The sequences.
    ///   - rowsAtOnce: How many rows `body` gets at most.
    ///   - body: Called with the rows' place in the batch and their logits `[rows, vocabulary]`.
    /// - Throws: What `body` throws.
    public mutating func logits(
        of batch: TokenBatch, rowsAtOnce: Int = 128,
        _ body: (_ rows: Range<Int>, _ logits: Activations) throws -> Void
    ) rethrows {
        try logits(
            of: batch, at: Array(batch.ids.indices), rowsAtOnce: rowsAtOnce, body)
    }

    /// Runs whole sequences and hands over the logits of some of their rows, a few at a time.
    ///
    /// - Parameters:
    ///   - batch: The sequences.
    ///   - wanted: The rows, by their place in the batch.
    ///   - rowsAtOnce: How many rows `body` gets at most.
    ///   - body: Called with places in `wanted` and the logits there, `[places, vocabulary]`.
    /// - Throws: What `body` throws.
    public mutating func logits(
        of batch: TokenBatch, at wanted: [Int], rowsAtOnce: Int = 128,
        _ body: (_ places: Range<Int>, _ logits: Activations) throws -> Void
    ) rethrows {
        run(batch)
        var logits = Activations()
        for first in stride(from: 0, to: wanted.count, by: rowsAtOnce) {
            let places = first..<min(first + rowsAtOnce, wanted.count)
            finish(rows: wanted[places])
            project(into: &logits)
            try body(places, logits)
        }
    }

    /// The logits of last hidden states after the final norm, a few rows at a time.
    ///
    /// - Parameters:
    ///   - states: Of this model, as ``hiddenStates(of:)`` gives them.
    ///   - rowsAtOnce: How many rows `body` gets at most.
    ///   - body: Called with the rows and their logits `[rows, vocabulary]`.
    /// - Throws: What `body` throws.
    public func logits(
        from states: Activations, rowsAtOnce: Int = 128,
        _ body: (_ rows: Range<Int>, _ logits: Activations) throws -> Void
    ) rethrows {
        var (part, logits) = (Activations(), Activations())
        for first in stride(from: 0, to: states.rows, by: rowsAtOnce) {
            let rows = first..<min(first + rowsAtOnce, states.rows)
            engine.select(states, rows: rows, into: &part)
            project(part, into: &logits)
            try body(rows, logits)
        }
    }

    /// Runs the next tokens of the cached sequences, adds them to the cache, and leaves the logits
    /// of each sequence's last one in `logits`, `[sequences, vocabulary]`.
    ///
    /// - Precondition: The model is a decoder, every sequence gets equally many tokens, one
    ///   sequence after another in `tokens`, and they fit the cache.
    public mutating func advance(
        _ tokens: [Int32], cache: inout KeyValueCache, logits: inout Activations
    ) {
        let count = tokens.count / cache.sequences
        precondition(cache.count + count <= cache.capacity, "key-value cache is full")
        let positions = (0..<cache.sequences).flatMap { _ in cache.count..<cache.count + count }
        embed(tokens, positions: positions)
        for layer in model.layers.indices {
            decoderLayer(layer, positions: positions, cache: &cache)
        }
        cache.count += count
        finish(rows: (1...cache.sequences).map { $0 * count - 1 })
        project(into: &logits)
    }

    private mutating func run(_ batch: TokenBatch) {
        embed(batch.ids, positions: batch.positions, typeIDs: batch.typeIDs)
        runLayers(0..<model.layers.count, of: batch)
    }

    private mutating func runLayers(_ range: Range<Int>, of batch: TokenBatch) {
        let positions = batch.positions
        for layer in range {
            observer?.willEnterLayer(layer, hidden: hidden)
            if model.shape.architecture.isEncoder {
                encoderLayer(layer, positions: positions, sequences: batch.sequences)
            } else {
                decoderLayer(layer, positions: positions, sequences: batch.sequences)
            }
        }
    }

    /// Looks up tokens at positions, of these segments, or all of segment 0 where the model has no
    /// others or none are given.
    mutating func embed(_ ids: [Int32], positions: [Int], typeIDs: [Int32] = []) {
        hidden.reshape(rows: ids.count, columns: model.shape.hiddenSize)
        if let table = model.embeddings.tokens {
            engine.gather(table, rows: ids, into: &hidden)
        } else if let table = model.head {
            engine.gather(table, rows: ids, into: &hidden)
        }
        if let table = model.embeddings.positions {
            let reserved = table.rows - model.shape.maximumPositions
            engine.gather(
                table, rows: positions.map { Int32(reserved + $0) }, into: &hidden, adding: true)
        }
        if let table = model.embeddings.types {
            let rows = TokenBatch.segmentRows(typeIDs, of: ids.count, in: table.rows)
            engine.gather(table, rows: rows, into: &hidden, adding: true)
        }
        normaliseStream(model.embeddings.norm)
    }

    /// Takes rows of the residual stream through the final norm into `selected`.
    private mutating func finish(rows: some Collection<Int>) {
        engine.select(hidden, rows: rows, into: &selected)
        guard let norm = model.finalNorm else { return }
        normed.reshape(rows: rows.count, columns: hidden.columns)
        engine.normalise(
            selected, weight: norm.weight, bias: norm.bias, epsilon: model.shape.normEpsilon,
            into: &normed)
        swap(&selected, &normed)
    }

    private func project(into logits: inout Activations) { project(selected, into: &logits) }

    private func project(_ states: Activations, into logits: inout Activations) {
        guard let head = model.head else { preconditionFailure("an encoder has no logits") }
        logits.reshape(rows: states.rows, columns: head.outputs)
        if isGreedy, let contextual = model.contextual, let coarse = contextual.coarse,
            let margin = contextual.headMargin
        {
            engine.screen(states, coarse: coarse, exact: head, margin: margin, into: &logits)
        } else {
            engine.linear(states, head, into: &logits)
        }
    }

    /// The rows that one layer takes on together: few enough for what lies between two of its
    /// products to stay in the caches, unless an observer wants all at once.
    private var rowsAtOnce: Int {
        observer == nil ? Engine.rowsPerThread * engine.pool.threads : Int.max
    }

    /// Cuts rows into pieces of about equal length.
    func chunks(of rows: Int) -> [Range<Int>] {
        let count = max(1, (rows - 1) / rowsAtOnce + 1)
        return (0..<count).map { rows * $0 / count..<rows * ($0 + 1) / count }
    }

    /// Whole sequences together, one after another.
    func groups(of sequences: [Range<Int>]) -> [ArraySlice<Range<Int>>] {
        var groups: [ArraySlice<Range<Int>>] = []
        var first = 0
        for (index, sequence) in sequences.enumerated() {
            let rows = sequence.upperBound - sequences[first].lowerBound
            if rows >= rowsAtOnce || index == sequences.count - 1 {
                groups.append(sequences[first...index])
                first = index + 1
            }
        }
        return groups
    }
}
