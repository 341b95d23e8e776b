public import Tensors

/// A contextual plan, together with the weights packed for it.
struct Contextual: Sendable {
    let headMargin: Float?
    let sequences: Int
    let coarse: CoarseWeights?
    let layers: [Layer?]
    let attention: [Attention?]

    /// Whether any predictor looks ahead; see ``ContextualPlan/Predictor/looksAhead``.
    ///
    /// If so, the inputs of blocks are kept for the next layer.
    let looksAhead: Bool

    init(
        _ plan: ContextualPlan, coarse: CoarseWeights?, layers: [Layer?], attention: [Attention?]
    ) {
        (headMargin, sequences) = (plan.headMargin, plan.sequences)
        (self.coarse, self.layers, self.attention) = (coarse, layers, attention)
        looksAhead =
            layers.contains { $0?.plan.predictor?.looksAhead == true }
            || attention.contains { $0?.looksAhead == true }
    }

    /// The plan and the packed weights for the attention block of one layer.
    struct Attention: Sendable {
        let form: Form
        /// The thresholds of the output projection's inputs.
        ///
        /// An input is used if its magnitude is greater than its threshold.
        let leavingThresholds: [Float]
        let leaving: UnitRows
        let leavingBias: [Float]?

        /// The part of the block that is computed.
        enum Form: Sendable {
            /// Queries, keys and values, from the inputs whose magnitudes are above their
            /// thresholds.
            case inputs(UnitRows, bias: [Float], thresholds: [Float])
            /// The queries of the heads that a predictor selects, and all keys and values.
            case heads(NeuronPredictor, looksAhead: Bool)
        }

        var looksAhead: Bool {
            if case .heads(_, let looksAhead) = form { looksAhead } else { false }
        }

        /// Packs those weights of an attention block that a plan needs.
        ///
        /// Weights that are already packed are reused from `known`.
        init(
            _ plan: ContextualPlan.Attention, known: Attention?, precision: Precision,
            reading read: () throws -> LayerWeights
        ) throws {
            func block() throws -> AttentionWeights {
                guard let block = try read().attention else {
                    preconditionFailure("the plan has heads in a layer without heads")
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
            case .inputs(let entering, let leavingThresholds):
                self.leavingThresholds = leavingThresholds
                if case .inputs(let rows, let bias, _) = known?.form {
                    form = .inputs(rows, bias: bias, thresholds: entering)
                    return
                }
                let block = try block()
                let fused = Projection(stacking: [block.query, block.key, block.value])
                form = .inputs(
                    UnitRows(to: fused.weight, precision: precision),
                    bias: fused.bias ?? [Float](repeating: 0, count: fused.weight.rows),
                    thresholds: entering)
            case .heads(let predictor):
                guard case .lowRank(let down, let up) = predictor.method else {
                    preconditionFailure("only a low-rank predictor can select heads")
                }
                // The outputs of heads that are not selected are 0, so thresholds of 0 skip them.
                leavingThresholds = [Float](repeating: 0, count: leaving.units)
                form = .heads(
                    NeuronPredictor(down: down, up: up, above: predictor.thresholds),
                    looksAhead: predictor.looksAhead)
            }
        }
    }

    /// The plan and the packed weights for the feed-forward block of one layer.
    struct Layer: Sendable {
        /// The plan for the neurons.
        let plan: ContextualPlan.Neurons
        let form: Form

        var isPredicted: Bool { if case .predicted = form { true } else { false } }

        /// The way in which neurons are computed.
        enum Form: Sendable {
            /// All activations are computed. Those above their thresholds are multiplied by the
            /// down projection.
            case added(UnitRows, bias: [Float]?)
            /// Only the neurons that a predictor selects are computed.
            case predicted(PredictedFeedForward)
        }

        /// Packs those weights of a feed-forward block that a plan needs.
        ///
        /// Weights that are already packed are reused from `known`.
        init(
            _ plan: ContextualPlan.Neurons, known: Layer?, activation: Epilogue,
            precision: Precision, reading read: () throws -> LayerWeights
        ) throws {
            self.plan = plan
            switch (known?.form, plan.predictor) {
            case (.added(let rows, let bias), nil): form = .added(rows, bias: bias)
            case (.predicted(var block), let predictor?)
            where predictor.method == known?.plan.predictor?.method:
                block.predictor = block.predictor.above(predictor.thresholds)
                block.thresholds = plan.thresholds
                form = .predicted(block)
            case (_, let predictor):
                guard let weights = try read().feedForward else {
                    preconditionFailure("the plan has neurons in a layer without neurons")
                }
                guard let predictor else {
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
                            predictor, of: weights, activation, precision: precision),
                        above: plan.thresholds))
            }
        }
    }
}

extension NeuronPredictor {
    /// Packs the predictor of a plan.
    ///
    /// - Parameters:
    ///   - predictor: The predictor in the plan.
    ///   - weights: The feed-forward block.
    ///   - activation: The activation of the block.
    ///   - precision: The format of the gate's weights in a predictor that uses the block's gate.
    ///     Other predictors ignore it.
    public init(
        _ predictor: ContextualPlan.Predictor, of weights: FeedForwardWeights,
        _ activation: Epilogue, precision: Precision
    ) {
        switch predictor.method {
        case .coarse(let fineInputs):
            let incoming = [weights.gate, weights.up].compactMap(\.self)
            self.init(
                roundingTo4Bits: incoming.map(\.weight), biases: incoming.map(\.bias),
                activation: activation, fineInputs: fineInputs, above: predictor.thresholds)
        case .gate:
            guard let gate = weights.gate else { preconditionFailure("the block has no gate") }
            self.init(
                gate: gate.weight, bias: gate.bias, activation: activation, precision: precision,
                above: predictor.thresholds)
        case .lowRank(let down, let up):
            self.init(down: down, up: up, above: predictor.thresholds)
        }
    }
}
