public import Tensors

extension Model {
    /// Applies a contextual plan to this decoder.
    ///
    /// In decoding, the weights of skipped parts are not read. In passes over complete sequences,
    /// the values of skipped parts are set to 0, so that the results equal those of decoding. When
    /// a prompt is read into a cache, nothing is skipped.
    ///
    /// - Parameters:
    ///   - plan: The plan, which states the parts to skip.
    ///   - source: The source of the model's weights.
    /// - Returns: The model. It shares the weights of this model, including those packed for an
    ///   earlier plan.
    /// - Throws: The errors of the source.
    public func applying(_ plan: ContextualPlan, of source: some WeightSource) throws -> Model {
        precondition(
            plan.layers.count == layers.count && plan.attention.count == layers.count
                && head != nil, "the plan does not fit the decoder")
        var (layers, attention) = ([Contextual.Layer?](), [Contextual.Attention?]())
        for index in plan.layers.indices {
            // A layer is read at most once, and only if its weights are needed.
            var weights: LayerWeights?
            func read() throws -> LayerWeights {
                let found = try weights ?? source.layer(index)
                weights = found
                return found
            }
            layers.append(
                try plan.layers[index].map { neurons in
                    precondition(
                        neurons.thresholds.count == shape.layers[index].feedForward,
                        "the plan needs a threshold for each neuron")
                    return try Contextual.Layer(
                        neurons, known: contextual?.layers[index],
                        activation: shape.architecture.layer.epilogue,
                        precision: formats.layers[index].feedForward, reading: read)
                })
            attention.append(
                try plan.attention[index].map { counted in
                    try Contextual.Attention(
                        counted, known: contextual?.attention[index],
                        precision: formats.layers[index].attention, reading: read)
                })
        }
        let known = contextual?.coarse.flatMap { $0.fineInputs == plan.headInputs ? $0 : nil }
        let coarse = try plan.headMargin.map { _ in
            try known ?? Self.coarseHead(of: source, fineInputs: plan.headInputs)
        }
        var result = self
        result.contextual = Contextual(
            plan, coarse: coarse, layers: layers, attention: attention)
        return result
    }

    /// Packs the output head of a decoder with 4-bit weights, and with 8-bit weights for some
    /// inputs.
    public static func coarseHead(
        of source: some WeightSource, fineInputs: [Int]
    ) throws -> CoarseWeights {
        let output = try source.head().output
        return CoarseWeights(
            try output ?? source.embeddings().tokens, fineInputs: fineInputs)
    }

    /// The maximum number of sequences, decoded together, for which the contextual plan is applied.
    ///
    /// It is 0 if there is no plan.
    public var contextualSequences: Int { contextual?.sequences ?? 0 }

    /// Returns for each row the greatest coarse logit minus the coarse logit of the top-1 token.
    ///
    /// The top-1 token is the token with the greatest exact logit.
    ///
    /// - Parameters:
    ///   - states: The last hidden states after the final norm.
    ///   - coarse: The output head with 4-bit weights.
    ///   - engine: The engine on which to compute.
    /// - Returns: For each row, the smallest ``ContextualPlan/headMargin`` that does not change the
    ///   top-1 token.
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
