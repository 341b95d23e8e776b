public import Tensors

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
        var (layers, attention) = ([Contextual.Layer?](), [Contextual.Attention?]())
        for index in plan.layers.indices {
            // A layer is read once, and only where something of it is needed.
            var weights: LayerWeights?
            func read() throws -> LayerWeights {
                let found = try weights ?? source.layer(index)
                weights = found
                return found
            }
            layers.append(
                try plan.layers[index].map { neurons in
                    precondition(
                        neurons.least.count == shape.layers[index].feedForward, "a size per neuron")
                    return try Contextual.Layer(
                        neurons, known: contextual?.layers[index],
                        activation: shape.architecture.layer.activation, precision: precision,
                        reading: read)
                })
            attention.append(
                try plan.attention[index].map { counted in
                    try Contextual.Attention(
                        counted, known: contextual?.attention[index], precision: precision,
                        reading: read)
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
