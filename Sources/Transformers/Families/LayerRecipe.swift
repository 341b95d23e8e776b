public import Tensors

/// How the layers of an architecture compute.
///
/// A layer has two residual branches, attention and then feed-forward. With norms ahead of the
/// branches it computes `h += branch(norm(h))`, with norms behind them `h = norm(h + branch(h))`.
public struct LayerRecipe: Sendable {
    /// The kind of every norm but those of heads, also of the norms outside layers.
    public let norm: Norm
    /// Where the norm of a branch is.
    public let normPlace: NormPlace
    /// What a feed-forward block does between its projections.
    public let activation: Epilogue
    /// Biases that every model of the architecture has.
    ///
    /// A model may have others, and norms of heads: see ``ModelShape/optionalWeights``.
    public let biases: OptionalWeights

    /// A kind of norm.
    public enum Norm: Sendable {
        /// `x · w / √(mean(x²) + ε)`, without a bias (arXiv 1910.07467).
        case rootMeanSquare
        /// `(x − mean(x)) · w / √(var(x) + ε) + b` (arXiv 1607.06450).
        case layer

        /// Whether the norm has a bias.
        public var hasBias: Bool { self == .layer }
    }

    /// Where the norm of a branch is.
    public enum NormPlace: Sendable {
        /// The branch reads the normalised hidden state. A removed branch takes its norm along.
        case ahead
        /// The sum of hidden state and branch is normalised, also if the branch is removed.
        case behind
    }

    /// Whether feed-forward blocks have a gate projection besides the up projection.
    public var isGated: Bool { activation == .swiglu }

    /// Creates a recipe.
    init(norm: Norm, normPlace: NormPlace, activation: Epilogue, biases: OptionalWeights = []) {
        self.norm = norm
        self.normPlace = normPlace
        self.activation = activation
        self.biases = biases
    }
}
