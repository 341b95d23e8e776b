public import Tensors

/// The computation of a layer of an architecture.
///
/// A layer has two residual branches: attention, then feed-forward. See ``NormPlace`` for what a
/// branch computes.
public struct LayerRecipe: Sendable {
    /// The kind of all norms in the model except those of heads.
    public let norm: Norm
    /// The place of the norm of a branch.
    public let normPlace: NormPlace
    /// The activation function of a feed-forward block.
    ///
    /// If there is a gate, the function is applied to the gate.
    public let activation: Activation
    /// Whether feed-forward blocks have a gate projection in addition to the up projection.
    public let isGated: Bool
    /// The biases that all models of the architecture have.
    ///
    /// A model may have other biases and norms of heads: see ``ModelShape/optionalWeights``.
    public let biases: OptionalWeights

    /// A kind of norm.
    public struct Norm: Hashable, Sendable {
        /// Whether the mean is subtracted from the input.
        public let isCentred: Bool
        /// Whether the norm has a bias.
        public let hasBias: Bool
        /// Whether files store the factors minus 1.
        public let addsOne: Bool

        /// `x · w / √(mean(x²) + ε)` (arXiv 1910.07467).
        public static let rootMeanSquare = Norm()
        /// `x · (1 + w) / √(mean(x²) + ε)`.
        public static let rootMeanSquarePlusOne = Norm(addsOne: true)
        /// `(x − mean(x)) · w / √(var(x) + ε) + b` (arXiv 1607.06450).
        public static let layer = Norm(isCentred: true, hasBias: true)
        /// `(x − mean(x)) · w / √(var(x) + ε)`.
        public static let layerWithoutBias = Norm(isCentred: true)

        private init(isCentred: Bool = false, hasBias: Bool = false, addsOne: Bool = false) {
            (self.isCentred, self.hasBias, self.addsOne) = (isCentred, hasBias, addsOne)
        }

        /// The kind of the norms of heads: RMS norms, which files store like the other norms.
        public var ofHeads: Norm { addsOne ? .rootMeanSquarePlusOne : .rootMeanSquare }
    }

    /// The place of the norms of a branch.
    public enum NormPlace: Sendable {
        /// `h += branch(norm(h))`. If the branch is removed, its norm is removed too.
        case pre
        /// `h = norm(h + branch(h))`. The norm stays if the branch is removed.
        case post
        /// `h += norm(branch(h))`. If the branch is removed, its norm is removed too.
        case onOutput
        /// `h += norm₂(branch(norm₁(h)))`. If the branch is removed, both norms are removed too.
        case around

        /// Whether the input of a branch is normalised.
        public var normalisesInput: Bool { self == .pre || self == .around }
        /// Whether the output of a branch is normalised before it is added.
        public var normalisesOutput: Bool { self == .onOutput || self == .around }
        /// Whether the residual stream is normalised after a branch.
        public var normalisesSum: Bool { self == .post }

        /// Whether there is a norm of the input of a branch or of the sum.
        ///
        /// `isThere` is false if the branch is removed.
        public func hasNorm(ofBranch isThere: Bool) -> Bool {
            normalisesSum || normalisesInput && isThere
        }

        /// Whether there is a norm of the output of a branch.
        public func hasOutputNorm(ofBranch isThere: Bool) -> Bool { normalisesOutput && isThere }
    }

    /// An activation function.
    public enum Activation: Sendable {
        /// GELU with the exact erf (arXiv 1606.08415).
        case gelu
        /// GELU with the tanh approximation.
        case tanhGELU
        /// `max(x, 0)`.
        case relu
        /// `x / (1 + e⁻ˣ)` (arXiv 1710.05941).
        case silu
    }

    /// The function that the first product of a feed-forward block applies to its result.
    public var epilogue: Epilogue {
        switch activation {
        case .gelu: isGated ? .gatedGELU : .gelu
        case .tanhGELU: isGated ? .gatedTanhGELU : .tanhGELU
        case .relu: isGated ? .gatedReLU : .relu
        case .silu: isGated ? .swiglu : .silu
        }
    }

    /// Creates a recipe.
    init(
        norm: Norm, normPlace: NormPlace, activation: Activation, isGated: Bool = false,
        biases: OptionalWeights = []
    ) {
        self.norm = norm
        self.normPlace = normPlace
        self.activation = activation
        self.isGated = isGated
        self.biases = biases
    }
}
