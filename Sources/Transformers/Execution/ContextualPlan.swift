public import Tensors

/// What a decoder leaves out token by token.
public struct ContextualPlan: Sendable, Equatable {
    /// How far below the greatest coarse score of a word, in 4 bits, the exact score of another is
    /// computed; nil where all scores are exact.
    public var headMargin: Float?
    /// The channels of the last hidden state that coarse scores take in 8 bits.
    public var headInputs: [Int]
    /// How many sequences that are decoded together, at most, it is followed for; only feed-forward
    /// blocks with predictors follow it for more than one.
    public var sequences = 1
    /// For each layer which neurons count; nil where all do.
    public var layers: [Neurons?]
    /// For each layer what counts of the attention block; nil where all does.
    public var attention: [Attention?]

    /// What counts of an attention block, of which keys and values are always written.
    public enum Attention: Sendable, Equatable {
        /// Inputs of queries, keys and values, and those of the output projection, above such sizes.
        ///
        /// Source: Liu et al., "TEAL", arXiv 2408.14690.
        case inputs(entering: [Float], leaving: [Float])
        /// The query heads that a trained predictor names.
        ///
        /// Source: Liu et al., "Deja Vu", arXiv 2310.17157.
        case heads(Predictor)
    }

    /// Which neurons of a layer count.
    public struct Neurons: Sendable, Equatable {
        /// For each neuron the size that its activation must be above.
        ///
        /// Source: thresholds on activations, Liu et al., "TEAL", arXiv 2408.14690.
        public var least: [Float]
        /// What names the neurons that are computed at all; nil where all are.
        public var predictor: Predictor?

        /// Describes which neurons count.
        public init(least: [Float], predictor: Predictor? = nil) {
            (self.least, self.predictor) = (least, predictor)
        }
    }

    /// What names neurons before they are computed.
    public struct Predictor: Sendable, Equatable {
        /// How it scores them.
        public enum Method: Sendable, Equatable {
            /// By their weights in 4 bits, but for those of some inputs in 8.
            case coarse(fineInputs: [Int])
            /// By what the gate lets through, of blocks that have one.
            case gate
            /// By `up · (down · x)`, `[neurons, rank]` and `[rank, hidden]`.
            case lowRank(down: Matrix<Float>, up: Matrix<Float>)
        }
        /// How it scores them.
        public var method: Method
        /// For each neuron, or head, what its score must be above.
        public var least: [Float]
        /// Whether it scores by what enters the same block of the layer before, so that it could
        /// run ahead.
        public var looksAhead: Bool

        /// Describes a predictor.
        public init(_ method: Method, above least: [Float], looksAhead: Bool = false) {
            (self.method, self.least, self.looksAhead) = (method, least, looksAhead)
        }
    }

    /// Describes what is left out; nothing of attention blocks unless that is told.
    public init(
        headMargin: Float? = nil, headInputs: [Int] = [], layers: [Neurons?],
        attention: [Attention?]? = nil
    ) {
        self.headMargin = headMargin
        self.headInputs = headInputs
        self.layers = layers
        self.attention = attention ?? layers.map { _ in nil }
    }
}

/// A plan with the weights in the forms that it needs.
struct Contextual: Sendable {
    let headMargin: Float?
    let sequences: Int
    let coarse: CoarseWeights?
    let layers: [Layer?]
    let attention: [Attention?]

    /// Whether any predictor looks ahead, for which what enters blocks is kept.
    var looksAhead: Bool {
        layers.contains { $0?.plan.predictor?.looksAhead == true }
            || attention.contains { $0?.looksAhead == true }
    }

    /// Of the attention block of one layer.
    struct Attention: Sendable {
        let form: Form
        /// The sizes that inputs of the output projection must be above.
        let leavingLeast: [Float]
        let leaving: UnitRows
        let leavingBias: [Float]?

        /// What is computed.
        enum Form: Sendable {
            /// Queries, keys and values from some inputs.
            case inputs(UnitRows, bias: [Float], least: [Float])
            /// The queries of some heads.
            case heads(NeuronPredictor, looksAhead: Bool)
        }

        var looksAhead: Bool {
            if case .heads(_, let looksAhead) = form { looksAhead } else { false }
        }

        /// Packs what a plan needs of a layer that has heads, or takes it over.
        init(
            _ plan: ContextualPlan.Attention, known: Attention?, precision: Precision,
            reading read: () throws -> LayerWeights
        ) throws {
            func block() throws -> AttentionWeights {
                guard let block = try read().attention else {
                    preconditionFailure("what counts of a layer without heads")
                }
                return block
            }
            if let known {
                (leaving, leavingBias) = (known.leaving, known.leavingBias)
            } else {
                let output = try block().output
                leaving = UnitRows(to: output.weight, precision: precision)
                leavingBias = output.bias
            }
            switch plan {
            case .inputs(let entering, let leavingLeast):
                self.leavingLeast = leavingLeast
                if case .inputs(let rows, let bias, _) = known?.form {
                    form = .inputs(rows, bias: bias, least: entering)
                    return
                }
                let block = try block()
                let fused = Projection(stacking: [block.query, block.key, block.value])
                form = .inputs(
                    UnitRows(to: fused.weight, precision: precision),
                    bias: fused.bias ?? [Float](repeating: 0, count: fused.weight.rows),
                    least: entering)
            case .heads(let predictor):
                guard case .lowRank(let down, let up) = predictor.method else {
                    preconditionFailure("heads are told by trained predictors")
                }
                // What heads that are not named give is 0.
                leavingLeast = [Float](repeating: 0, count: leaving.units)
                form = .heads(
                    NeuronPredictor(down: down, up: up, above: predictor.least),
                    looksAhead: predictor.looksAhead)
            }
        }
    }

    /// Of the feed-forward block of one layer.
    struct Layer: Sendable {
        /// What it was made from.
        let plan: ContextualPlan.Neurons
        let form: Form

        var isPredicted: Bool { if case .predicted = form { true } else { false } }

        /// How neurons are computed.
        enum Form: Sendable {
            /// All, of which few are added.
            case added(UnitRows, bias: [Float]?)
            /// Those that are named.
            case predicted(PredictedFeedForward)
        }

        /// Packs what a plan needs of a layer that has neurons, or takes it over.
        init(
            _ plan: ContextualPlan.Neurons, known: Layer?, activation: Epilogue,
            precision: Precision, reading read: () throws -> LayerWeights
        ) throws {
            self.plan = plan
            switch (known?.form, plan.predictor) {
            case (.added(let rows, let bias), nil): form = .added(rows, bias: bias)
            case (.predicted(var block), let wanted?)
            where wanted.method == known?.plan.predictor?.method:
                block.predictor = block.predictor.above(wanted.least)
                block.least = plan.least
                form = .predicted(block)
            case (_, let wanted):
                guard let weights = try read().feedForward else {
                    preconditionFailure("thresholds of a layer without neurons")
                }
                guard let wanted else {
                    form = .added(
                        UnitRows(to: weights.down.weight, precision: precision),
                        bias: weights.down.bias)
                    return
                }
                let incoming = [weights.gate, weights.up].compactMap(\.self)
                form = .predicted(
                    PredictedFeedForward(
                        from: incoming.map(\.weight), biases: incoming.map(\.bias),
                        activation: activation, to: weights.down.weight,
                        outputBias: weights.down.bias, precision: precision,
                        predictor: NeuronPredictor(
                            wanted, of: weights, activation, precision: precision),
                        above: plan.least))
            }
        }
    }
}

extension NeuronPredictor {
    /// The predictor of a plan, packed.
    ///
    /// - Parameters:
    ///   - predictor: What the plan says.
    ///   - weights: The feed-forward block.
    ///   - activation: What makes values of its neurons.
    ///   - precision: How weights of the block are stored that it takes as they are.
    public init(
        _ predictor: ContextualPlan.Predictor, of weights: FeedForwardWeights,
        _ activation: Epilogue, precision: Precision
    ) {
        switch predictor.method {
        case .coarse(let fineInputs):
            let incoming = [weights.gate, weights.up].compactMap(\.self)
            self.init(
                roundingTo4Bits: incoming.map(\.weight), biases: incoming.map(\.bias),
                activation: activation, fineInputs: fineInputs, above: predictor.least)
        case .gate:
            guard let gate = weights.gate else { preconditionFailure("a block without a gate") }
            self.init(
                gate: gate.weight, bias: gate.bias, precision: precision, above: predictor.least)
        case .lowRank(let down, let up):
            self.init(down: down, up: up, above: predictor.least)
        }
    }
}

extension Model {
    /// The same decoder, leaving out what a plan says.
    ///
    /// In decoding that is not read; over whole sequences it is cleared, so that these show what
    /// decoding would give. A prompt is read whole.
    ///
    /// - Parameters:
    ///   - plan: What to leave out.
    ///   - source: Where the weights came from.
    /// - Returns: The model; the weights it has are shared, those for an earlier plan too.
    /// - Throws: What the source throws.
    public func applying(_ plan: ContextualPlan, of source: some WeightSource) throws -> Model {
        precondition(
            plan.layers.count == layers.count && plan.attention.count == layers.count
                && head != nil, "a plan of this decoder")
        let layers = try plan.layers.enumerated().map { index, neurons in
            try neurons.map { neurons in
                precondition(
                    neurons.least.count == shape.layers[index].feedForward, "a size per neuron")
                return try Contextual.Layer(
                    neurons, known: contextual?.layers[index],
                    activation: shape.architecture.activation, precision: precision
                ) { try source.layer(index) }
            }
        }
        let attention = try plan.attention.enumerated().map { index, counted in
            try counted.map { counted in
                try Contextual.Attention(
                    counted, known: contextual?.attention[index], precision: precision
                ) { try source.layer(index) }
            }
        }
        let known = contextual?.coarse.flatMap { $0.fineInputs == plan.headInputs ? $0 : nil }
        let coarse = try plan.headMargin.map { _ in
            try known ?? Self.coarseHead(of: source, fineInputs: plan.headInputs)
        }
        var result = self
        result.contextual = Contextual(
            headMargin: plan.headMargin, sequences: plan.sequences, coarse: coarse, layers: layers,
            attention: attention)
        return result
    }

    /// The output head of a decoder in 4 bits, some of its inputs in 8.
    public static func coarseHead(
        of source: some WeightSource, fineInputs: [Int]
    ) throws -> CoarseWeights {
        let output = try source.head().output
        return CoarseWeights(
            try output ?? source.embeddings().tokens, fineInputs: fineInputs)
    }

    /// How many sequences may be decoded together for it to leave anything out; 0 where it does not.
    public var contextualSequences: Int { contextual?.sequences ?? 0 }

    /// By how much the greatest coarse score of any word is above that of the word whose exact score
    /// is greatest, for each row.
    ///
    /// - Parameters:
    ///   - states: Last hidden states after the final norm.
    ///   - coarse: The head in 4 bits.
    ///   - engine: What to run on.
    /// - Returns: Margins that ``ContextualPlan/headMargin`` must reach for the row to keep its word.
    public func headMargins(
        of states: Activations, coarse: CoarseWeights, on engine: Engine
    ) -> [Float] {
        guard let head else { preconditionFailure("an encoder has no logits") }
        var (exact, rough) = (Activations(), Activations())
        exact.reshape(rows: states.rows, columns: head.outputs)
        rough.reshape(rows: states.rows, columns: head.outputs)
        engine.linear(states, head, into: &exact)
        engine.screen(states, coarse: coarse, exact: head, margin: -.infinity, into: &rough)
        let (right, guessed) = (engine.largestColumn(exact), engine.largestColumn(rough))
        return (0..<states.rows).map { rough[$0, guessed[$0]] - rough[$0, right[$0]] }
    }
}
