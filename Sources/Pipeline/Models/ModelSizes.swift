internal import ModelFiles
public import Transformers

/// The sizes of a model, for output as JSON.
public struct ModelSizes: Encodable {
    private let architecture: Architecture
    private let parameters: Int
    private let hiddenSize: Int
    private let headDimension: Int
    private let vocabularySize: Int
    private let maximumPositions: Int
    private let tiedHead: Bool
    private let layers: [LayerShape]
    private let formats: Formats?

    /// Copies the sizes of a model.
    ///
    /// - Parameters:
    ///   - shape: The sizes.
    ///   - formats: The format of each matrix; nil if the file of the model names no formats.
    public init(_ shape: ModelShape, formats: Formats? = nil) {
        self.formats = formats
        architecture = shape.architecture
        parameters = shape.parameters
        hiddenSize = shape.hiddenSize
        headDimension = shape.headDimension
        vocabularySize = shape.vocabularySize
        maximumPositions = shape.maximumPositions
        tiedHead = shape.tiedHead
        layers = shape.layers
    }
}
