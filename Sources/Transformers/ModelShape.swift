public import ModelFiles

/// A family of transformers whose forward pass is known.
public enum Architecture: String, Codable, Sendable, CaseIterable {
    /// Post-norm encoder, multi-head attention, biases, GELU.
    case bert
    /// Pre-norm decoder, RMS norm, rotary positions, grouped queries, SwiGLU.
    case llama
    /// Pre-norm decoder, layer norm, learned positions, biases, GELU by its tanh approximation.
    case gpt2
    /// Pre-norm decoder, layer norm, learned positions, biases, ReLU.
    case opt

    /// Whether it sees a whole text at once and has norms behind its branches; else it predicts the
    /// next token and has them ahead.
    public var isEncoder: Bool { self == .bert }

    /// Whether positions turn queries and keys; else each position has an embedding.
    public var isRotary: Bool { self == .llama }

    /// Whether feed-forward blocks have a gate.
    public var isGated: Bool { self == .llama }

    /// Whether every projection and every norm has a bias.
    public var hasBiases: Bool { self != .llama }
}

/// Every size that the forward pass reads; a pruned model differs from its original only here.
public struct ModelShape: Codable, Hashable, Sendable {
    /// The family, which fixes the order of operations.
    public var architecture: Architecture
    /// Rows of the token embedding.
    public var vocabularySize: Int
    /// Width of the residual stream.
    public var hiddenSize: Int
    /// Width of one attention head.
    public var headDimension: Int
    /// The longest sequence the model was made for.
    public var maximumPositions: Int
    /// The epsilon of every norm.
    public var normEpsilon: Float
    /// The base of the rotary position frequencies; unused where positions are embedded.
    public var ropeTheta: Float
    /// How these frequencies are scaled; nil where they are not.
    public var ropeScaling: RopeScaling?
    /// The weights that this model has and others of its architecture may lack; nil for none.
    public var optionalWeights: OptionalWeights?
    /// Whether the output head is the token embedding; false for encoders, which have no head here.
    public var tiedHead: Bool
    /// The layers from input to output.
    public var layers: [LayerShape]

    /// Whether projections of a kind have a bias.
    func has(_ bias: OptionalWeights) -> Bool {
        architecture.hasBiases || optionalWeights?.contains(bias) == true
    }

    /// Whether the residual stream can be narrowed and configurations of the family still say how
    /// wide heads are.
    public var canNarrow: Bool { architecture == .llama || architecture == .bert }

    /// What the width of the residual stream has to be a multiple of when it is narrowed: of heads in
    /// encoders, because other programs divide it by theirs; else of blocks of quantised weights.
    public var channelStep: Int { architecture.isEncoder ? headDimension : min(32, headDimension) }

    /// Creates a model shape.
    public init(
        architecture: Architecture, vocabularySize: Int, hiddenSize: Int, headDimension: Int,
        maximumPositions: Int, normEpsilon: Float, ropeTheta: Float,
        ropeScaling: RopeScaling? = nil, tiedHead: Bool, layers: [LayerShape]
    ) {
        self.architecture = architecture
        self.vocabularySize = vocabularySize
        self.hiddenSize = hiddenSize
        self.headDimension = headDimension
        self.maximumPositions = maximumPositions
        self.normEpsilon = normEpsilon
        self.ropeTheta = ropeTheta
        self.ropeScaling = ropeScaling
        self.tiedHead = tiedHead
        self.layers = layers
    }
}
