public import ModelFiles

/// A family of transformers whose forward pass is known.
public enum Architecture: String, Codable, Sendable, CaseIterable {
    /// Post-norm encoder, multi-head attention, biases, GELU.
    case bert
    /// Pre-norm decoder, RMS norm, rotary positions, grouped queries, SwiGLU.
    case llama
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
    /// The base of the rotary position frequencies; unused by `bert`.
    public var ropeTheta: Float
    /// Whether the output head is the token embedding; false for `bert`, which has no head here.
    public var tiedHead: Bool
    /// The layers from input to output.
    public var layers: [LayerShape]

    /// Creates a model shape.
    public init(
        architecture: Architecture, vocabularySize: Int, hiddenSize: Int, headDimension: Int,
        maximumPositions: Int, normEpsilon: Float, ropeTheta: Float, tiedHead: Bool,
        layers: [LayerShape]
    ) {
        self.architecture = architecture
        self.vocabularySize = vocabularySize
        self.hiddenSize = hiddenSize
        self.headDimension = headDimension
        self.maximumPositions = maximumPositions
        self.normEpsilon = normEpsilon
        self.ropeTheta = ropeTheta
        self.tiedHead = tiedHead
        self.layers = layers
    }
}
