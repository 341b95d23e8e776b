public import Tensors

/// The parts of a decoder that are skipped for individual tokens.
public struct ContextualPlan: Sendable, Equatable {
    /// The margin of the output head; nil if all logits are exact.
    ///
    /// Approximate (coarse) logits are computed with 4-bit weights. The exact logit of a vocabulary
    /// token is computed if its coarse logit is at most this margin below the greatest coarse
    /// logit.
    public var headMargin: Float?
    /// The channels of the last hidden state whose weights have 8 bits in coarse logits.
    ///
    /// They are indices of channels.
    public var headInputs: [Int]
    /// The maximum number of sequences, decoded together, for which the plan is applied.
    ///
    /// With more than one sequence it is applied only to feed-forward blocks with predictors.
    public var sequences = 1
    /// For each layer, the neurons that are used; nil if all neurons are used.
    public var layers: [Neurons?]
    /// For each layer, the parts of the attention block that are used; nil if all parts are used.
    public var attention: [Attention?]

    /// The parts of an attention block that are used.
    ///
    /// Keys and values are always stored in the cache.
    public enum Attention: Sendable, Equatable {
        /// The inputs of projections. An input is used if its magnitude is above its threshold.
        ///
        /// `entering` has the thresholds of the inputs of the query, key and value projections.
        /// `leaving` has the thresholds of the inputs of the output projection.
        ///
        /// Source: Liu et al., "TEAL", arXiv 2408.14690.
        case inputs(entering: [Float], leaving: [Float])
        /// The query heads that a trained predictor selects.
        ///
        /// Source: Liu et al., "Deja Vu", arXiv 2310.17157.
        case heads(Predictor)
    }

    /// The neurons of a layer that are used.
    public struct Neurons: Sendable, Equatable {
        /// The threshold of each neuron.
        ///
        /// An activation is used if its magnitude is above the threshold.
        ///
        /// Source: thresholds on activations, Liu et al., "TEAL", arXiv 2408.14690.
        public var thresholds: [Float]
        /// The predictor that selects the neurons to compute; nil if all are computed.
        public var predictor: Predictor?

        /// Creates a description of the neurons that are used.
        public init(thresholds: [Float], predictor: Predictor? = nil) {
            (self.thresholds, self.predictor) = (thresholds, predictor)
        }
    }

    /// A predictor, which selects neurons or heads before they are computed.
    public struct Predictor: Sendable, Equatable {
        /// The method that computes the scores of neurons or heads.
        public enum Method: Sendable, Equatable {
            /// The score is the activation, computed with 4-bit weights, and 8-bit weights for some
            /// inputs.
            case coarse(fineInputs: [Int])
            /// The score is the activation of the gate. Only blocks with a gate can use this
            /// method.
            case gate
            /// The scores are `up · (down · x)`, with matrices `[units, rank]` and
            /// `[rank, hidden]`.
            case lowRank(down: Matrix<Float>, up: Matrix<Float>)
        }
        /// The method that computes the scores of neurons or heads.
        public var method: Method
        /// The threshold of each neuron or head, which is computed if its score is greater.
        public var thresholds: [Float]
        /// Whether scores are computed from the input of the same block in the previous layer.
        ///
        /// The predictor could then run before its layer.
        public var looksAhead: Bool

        /// Creates a predictor.
        public init(_ method: Method, above thresholds: [Float], looksAhead: Bool = false) {
            (self.method, self.thresholds, self.looksAhead) = (method, thresholds, looksAhead)
        }
    }

    /// Creates a plan.
    ///
    /// If `attention` is nil, attention blocks are computed completely.
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
