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
