public import Tensors

/// What a decoder leaves out token by token.
public struct ContextualPlan: Sendable, Equatable {
    /// How far below the greatest coarse score of a word, in 4 bits, the exact score of another is
    /// computed; nil where all scores are exact.
    public var headMargin: Float?
    /// The channels of the last hidden state that coarse scores take in 8 bits.
    public var headInputs: [Int]
    /// For each layer the sizes that the activations of its neurons must be above to count; nil
    /// where all count.
    ///
    /// Source: thresholds on activations, Liu et al., "TEAL", arXiv 2408.14690.
    public var thresholds: [[Float]?]

    /// Describes what is left out.
    public init(headMargin: Float? = nil, headInputs: [Int] = [], thresholds: [[Float]?]) {
        self.headMargin = headMargin
        self.headInputs = headInputs
        self.thresholds = thresholds
    }
}

/// A plan with the weights in the forms that it needs.
struct Contextual: Sendable {
    /// Of one layer.
    struct Layer: Sendable {
        var thresholds: [Float] = []
        let down: InputRows
        let bias: [Float]?

        /// Packs the down projection of a layer that has neurons.
        init(_ weights: LayerWeights, precision: Precision) {
            guard let projection = weights.feedForward?.down else {
                preconditionFailure("thresholds of a layer without neurons")
            }
            down = InputRows(projection.weight, precision: precision)
            bias = projection.bias
        }
    }
    let headMargin: Float?
    let coarse: CoarseWeights?
    let layers: [Layer?]
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
        precondition(plan.thresholds.count == layers.count && head != nil, "a plan of this decoder")
        let layers = try plan.thresholds.enumerated().map { index, thresholds in
            try thresholds.map { thresholds in
                var layer =
                    try contextual?.layers[index]
                    ?? Contextual.Layer(
                        source.layer(index), precision: precision)
                precondition(thresholds.count == layer.down.inputs, "a threshold per neuron")
                layer.thresholds = thresholds
                return layer
            }
        }
        let known = contextual?.coarse.flatMap { $0.fineInputs == plan.headInputs ? $0 : nil }
        let coarse = try plan.headMargin.map { _ in
            try known ?? Self.coarseHead(of: source, fineInputs: plan.headInputs)
        }
        var result = self
        result.contextual = Contextual(
            headMargin: plan.headMargin, coarse: coarse, layers: layers)
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

    /// Whether it leaves out anything token by token.
    public var isContextual: Bool { contextual != nil }

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
