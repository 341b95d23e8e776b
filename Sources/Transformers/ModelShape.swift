/// Every size that the forward pass reads; a pruned model differs from its original only here.
public struct ModelShape: Codable, Hashable, Sendable {
    /// How the model computes.
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
    /// How many of a head's first channels rotary positions turn; nil for all of them.
    public var rotaryDimension: Int?
    /// The weights that this model has and others of its architecture may lack; nil for none.
    public var optionalWeights: OptionalWeights?
    /// Whether the output head is the token embedding; false for encoders, which have no head here.
    public var tiedHead: Bool
    /// The layers from input to output.
    public var layers: [LayerShape]

    /// Whether projections of a kind have a bias.
    public func has(_ bias: OptionalWeights) -> Bool {
        architecture.layer.biases.union(optionalWeights ?? []).contains(bias)
    }

    /// How many of a head's first channels rotary positions turn.
    public var turnedChannels: Int { rotaryDimension ?? headDimension }

    /// Whether heads of queries and keys are normalised.
    public var hasHeadNorms: Bool { optionalWeights?.contains(.headNorms) == true }

    /// Whether the hidden size can be reduced; see ``Architecture/canNarrow``.
    public var canNarrow: Bool { architecture.canNarrow }

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
