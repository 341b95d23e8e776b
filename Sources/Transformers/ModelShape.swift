/// The architecture, sizes and constants that the forward pass reads.
///
/// Apart from its weights, a pruned model differs from its original only in these.
public struct ModelShape: Codable, Hashable, Sendable {
    /// The computation of the model.
    public var architecture: Architecture
    /// The number of rows of the token embedding.
    public var vocabularySize: Int
    /// The width of the residual stream.
    public var hiddenSize: Int
    /// The number of channels of a head.
    public var headDimension: Int
    /// The maximum sequence length.
    public var maximumPositions: Int
    /// The epsilon of every norm.
    public var normEpsilon: Float
    /// The base of the rotary frequencies; unused if the model has a position embedding.
    public var ropeTheta: Float
    /// The scaling of the rotary frequencies; nil if they are not scaled.
    public var ropeScaling: RopeScaling?
    /// The number of leading channels of each head that rotary embeddings rotate; nil for all
    /// channels.
    public var rotaryDimension: Int?
    /// The weights of this model that other models of its architecture may lack; nil if there are
    /// none.
    public var optionalWeights: OptionalWeights?
    /// The constant factors of the forward pass; nil if there are none.
    public var factors: Factors?
    /// The terms of attention scores that depend on the distance; nil if there are none.
    public var biases: PositionBiases?
    /// Whether the output head is the token embedding; false for encoders, which have no output
    /// head.
    public var tiedHead: Bool
    /// The sizes of the layers, in order from the input.
    public var layers: [LayerShape]

    /// Whether all layers have the same sizes.
    public var isUniform: Bool { layers.allSatisfy { $0.hasSizes(of: layers[0]) } }

    /// Whether projections of a kind have a bias.
    public func has(_ bias: OptionalWeights) -> Bool {
        architecture.layer.biases.union(optionalWeights ?? []).contains(bias)
    }

    /// The number of leading channels of each head that rotary embeddings rotate.
    public var rotatedChannels: Int { rotaryDimension ?? headDimension }

    /// Whether the query and key heads are normalised.
    public var hasHeadNorms: Bool { optionalWeights?.contains(.headNorms) == true }

    /// Whether the width of the residual stream can be pruned; see ``Architecture/canNarrow``.
    public var canNarrow: Bool { architecture.canNarrow }

    /// The width of a pruned residual stream is a multiple of this number of channels.
    ///
    /// In encoders it is the size of a head, because other programs divide the width by the number
    /// of heads. In decoders it is at most 32, the block size of quantised weights.
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
