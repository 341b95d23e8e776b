public import Tensors

/// The parts of a decoder that are skipped for individual tokens.
public struct ContextualPlan: Sendable, Equatable {
    /// The margin of the output head; nil if all scores are exact.
    ///
    /// Coarse scores are computed with weights in 4 bits. The exact score of a word is computed if
    /// its coarse score is at most this much below the greatest one.
    public var headMargin: Float?
    /// The channels of the last hidden state whose weights have 8 bits in coarse scores.
    public var headInputs: [Int]
    /// The maximum number of sequences, decoded together, for which the plan is applied.
    ///
    /// For more than one sequence it is applied only to feed-forward blocks with predictors.
    public var sequences = 1
    /// For each layer, the neurons that are used; nil if all are.
    public var layers: [Neurons?]
    /// For each layer, the parts of the attention block that are used; nil if all are.
    public var attention: [Attention?]

    /// The parts of an attention block that are used.
    ///
    /// Keys and values are always stored in the cache.
    public enum Attention: Sendable, Equatable {
        /// The inputs of the projections whose magnitudes are above their thresholds.
        ///
        /// `entering` has the thresholds for queries, keys and values. `leaving` has those for the
        /// output projection.
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
        /// The threshold of each neuron: its activation is used if its magnitude is greater.
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
        /// The method that computes their scores.
        public enum Method: Sendable, Equatable {
            /// The activations, computed with weights in 4 bits, and in 8 bits for some inputs.
            case coarse(fineInputs: [Int])
            /// The activation of the gate, for blocks with a gate.
            case gate
            /// The product `up · (down · x)`, with matrices `[neurons, rank]` and `[rank, hidden]`.
            case lowRank(down: Matrix<Float>, up: Matrix<Float>)
        }
        /// The method that computes their scores.
        public var method: Method
        /// The threshold of each neuron or head: it is computed if its score is greater.
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
