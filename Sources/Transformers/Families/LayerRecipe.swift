public import Tensors

/// The computation of a layer of an architecture.
///
/// A layer has two residual branches: attention, then feed-forward. With norms before the branches
/// each computes `h += branch(norm(h))`. With norms after them each computes
/// `h = norm(h + branch(h))`.
public struct LayerRecipe: Sendable {
    /// The kind of all norms in the model except those of heads.
    public let norm: Norm
    /// The place of the norm of a branch.
    public let normPlace: NormPlace
    /// The activation of a feed-forward block.
    public let activation: Epilogue
    /// The biases that all models of the architecture have.
    ///
    /// A model may have other biases and norms of heads: see ``ModelShape/optionalWeights``.
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

    /// The place of the norm of a branch.
    public enum NormPlace: Sendable {
        /// The input of the branch is normalised. If the branch is removed, its norm is removed
        /// too.
        case ahead
        /// The sum of the hidden state and the branch is normalised, even if the branch is removed.
        case behind
    }

    /// Whether feed-forward blocks have a gate projection in addition to the up projection.
    public var isGated: Bool { activation == .swiglu }

    /// Creates a recipe.
    init(norm: Norm, normPlace: NormPlace, activation: Epilogue, biases: OptionalWeights = []) {
        self.norm = norm
        self.normPlace = normPlace
        self.activation = activation
        self.biases = biases
    }
}
