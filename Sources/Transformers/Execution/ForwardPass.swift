public import Tensors

/// Observes the intermediate results of a forward pass, for calibration, and may change them.
public protocol ForwardObserver: AnyObject {
    /// Called before a component's last projection; may change the inputs of the projection,
    /// `[tokens, columns of the projection]`.
    func filter(_ component: Component, inputs: inout Activations)
    /// Called before a component's last projection with its inputs, `[tokens, columns]`.
    func willProject(_ component: Component, inputs: Activations)
    /// Called before each layer that runs, with the residual stream.
    func willEnterLayer(_ layer: Int, hidden: Activations)
}

extension ForwardObserver {
    /// Leaves the inputs of last projections as they are.
    public func filter(_ component: Component, inputs: inout Activations) {}
    /// Ignores the inputs of last projections.
    public func willProject(_ component: Component, inputs: Activations) {}
    /// Ignores the residual stream.
    public func willEnterLayer(_ layer: Int, hidden: Activations) {}
}

/// Runs a model on an engine, and keeps its working memory between calls.
public struct ForwardPass {
    /// The model that runs.
    ///
    /// It can be replaced by another model, which uses the same working memory.
    public var model: Model
    /// The engine on which the model runs.
    public let engine: Engine
    /// Whether only the greatest logit of each row has to be correct.
    ///
    /// If the model has a contextual plan with a head margin, it then computes coarse logits
    /// first, and exact logits only for tokens that may have the greatest logit.
    public var isGreedy = false
    /// The observer, which is called during forward passes.
    public weak var observer: (any ForwardObserver)?

    /// The residual stream, `[tokens, hidden]`.
    var hidden = Activations()
    var normed = Activations()
    var fused = Activations()
    var context = Activations()
    var activation = Activations()
    var selected = Activations()
    /// The output of a branch, if it is changed before it is added to the residual stream.
    var term = Activations()
    var scratch = AttentionScratch()
    /// The inputs of attention and feed-forward blocks, which are kept if a predictor looks ahead.
    var enteringAttention = BlockInputs()
    var enteringFeedForward = BlockInputs()

    /// The latest input of a block, and the earlier input of the same block in the previous layer.
    struct BlockInputs {
        private(set) var earlier = Activations()
        private var latest = Activations()

        /// Makes the latest input the earlier input, at the start of the next layer.
        mutating func advance() {
            swap(&earlier, &latest)
            latest = Activations()
        }

        /// Appends rows to the input of the block in this layer.
        mutating func append(_ rows: Activations) { latest.append(rows) }
    }

    /// Creates a forward pass for a model on an engine.
    public init(_ model: Model, on engine: Engine) {
        self.model = model
        self.engine = engine
    }

    /// Runs complete sequences and returns their last hidden states, `[tokens, hidden]`.
    ///
    /// They are the results of the final norm if the architecture has one.
    public mutating func hiddenStates(of batch: TokenBatch) -> Activations {
        run(batch)
        finish(rows: 0..<hidden.rows)
        return selected
    }

    /// Runs the layers from one index to the end, and returns the last hidden states.
    ///
    /// - Parameters:
    ///   - batch: The sequences.
    ///   - first: The first layer to run.
    ///   - entering: The residual stream before that layer.
    /// - Returns: The same states as ``hiddenStates(of:)``, `[tokens, hidden]`.
    public mutating func hiddenStates(
        of batch: TokenBatch, from first: Int, entering: Activations
    ) -> Activations {
        hidden = entering
        runLayers(first..<model.layers.count, of: batch)
        finish(rows: 0..<hidden.rows)
        return selected
    }

    /// Runs one layer and returns the residual stream after it, `[tokens, hidden]`.
    ///
    /// - Parameters:
    ///   - layer: The layer's index.
    ///   - batch: The sequences.
    ///   - entering: The residual stream before that layer.
    /// - Returns: The residual stream before the next layer.
    public mutating func stream(
        after layer: Int, of batch: TokenBatch, entering: Activations
    ) -> Activations {
        hidden = entering
        runLayers(layer..<layer + 1, of: batch)
        return hidden
    }

    /// Runs complete sequences and passes their logits to a closure, some rows at a time.
    ///
    /// All logits together could be far larger than the model.
    ///
    /// - Parameters:
    ///   - batch: The sequences.
    ///   - rowsAtOnce: The maximum number of rows for each call of `body`.
    ///   - body: Called with the indices of rows in the batch and their logits,
    ///     `[rows, vocabulary]`.
    /// - Throws: The errors of `body`.
    public mutating func logits(
        of batch: TokenBatch, rowsAtOnce: Int = 128,
        _ body: (_ rows: Range<Int>, _ logits: Activations) throws -> Void
    ) rethrows {
        try logits(
            of: batch, at: Array(batch.ids.indices), rowsAtOnce: rowsAtOnce, body)
    }

    /// Runs complete sequences and passes the logits of some of their rows to a closure.
    ///
    /// - Parameters:
    ///   - batch: The sequences.
    ///   - wanted: The indices of the rows in the batch.
    ///   - rowsAtOnce: The maximum number of rows for each call of `body`.
    ///   - body: Called with indices in `wanted` and the logits of these rows,
    ///     `[places, vocabulary]`.
    /// - Throws: The errors of `body`.
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

    /// Passes the logits of last hidden states to a closure, some rows at a time.
    ///
    /// - Parameters:
    ///   - states: Last hidden states that ``hiddenStates(of:)`` of this model returned.
    ///   - rowsAtOnce: The maximum number of rows for each call of `body`.
    ///   - body: Called with indices of rows and their logits, `[rows, vocabulary]`.
    /// - Throws: The errors of `body`.
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

    /// Runs the next tokens of the cached sequences and adds them to the cache.
    ///
    /// The logits of each sequence's last token are stored in `logits`, `[sequences, vocabulary]`.
    ///
    /// - Precondition: The model is a decoder. `tokens` has the same number of tokens for each
    ///   sequence, one sequence after another, and they fit the cache.
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

    /// Stores the sum of the embeddings of tokens, positions and token types in `hidden`.
    ///
    /// All tokens have type 0 if `typeIDs` is empty or the model has no other types.
    mutating func embed(_ ids: [Int32], positions: [Int], typeIDs: [Int32] = []) {
        hidden.reshape(rows: ids.count, columns: model.shape.hiddenSize)
        if let table = model.embeddings.tokens {
            engine.gather(table, rows: ids, into: &hidden)
        } else if let table = model.embeddings.bytes {
            engine.gather(table, rows: ids, into: &hidden)
        } else if let table = model.head {
            engine.gather(table, rows: ids, into: &hidden)
        }
        engine.scale(&hidden, by: model.shape.usedFactors.embeddings)
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

    /// Applies the final norm and the factor of logits to rows of the residual stream, and stores
    /// the result in `selected`.
    private mutating func finish(rows: some Collection<Int>) {
        engine.select(hidden, rows: rows, into: &selected)
        defer { engine.scale(&selected, by: model.shape.usedFactors.logits) }
        guard let norm = model.finalNorm else { return }
        normed.reshape(rows: rows.count, columns: hidden.columns)
        engine.normalise(
            selected, weight: norm.weight, bias: norm.bias, isCentred: norm.kind.isCentred,
            epsilon: model.shape.normEpsilon, into: &normed)
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
        if let cap = model.shape.factors?.logitCap { engine.cap(&logits, at: cap) }
    }

    /// The maximum number of rows that a layer processes together.
    ///
    /// It is small enough for the intermediate results of a layer to stay in the caches. With an
    /// observer there is no maximum.
    private var rowsAtOnce: Int {
        observer == nil ? Engine.rowsPerThread * engine.pool.threads : Int.max
    }

    /// Divides rows into ranges of about equal length.
    func chunks(of rows: Int) -> [Range<Int>] {
        let count = max(1, (rows - 1) / rowsAtOnce + 1)
        return (0..<count).map { rows * $0 / count..<rows * ($0 + 1) / count }
    }

    /// Divides sequences into groups of consecutive sequences, each with at least ``rowsAtOnce``
    /// rows.
    ///
    /// The last group may have fewer rows.
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
