public import Transformers

/// A model with some of the layers of another model, unchanged.
public struct KeptLayers<Source: WeightSource>: WeightSource {
    /// The sizes of the model with the kept layers.
    public let shape: ModelShape

    private let source: Source
    private let kept: [Int]

    /// Creates a model with some layers of a source.
    ///
    /// - Parameters:
    ///   - source: The source model.
    ///   - kept: The indices of the kept layers, ascending.
    public init(_ source: Source, layers kept: [Int]) {
        self.source = source
        self.kept = kept
        var shape = source.shape
        shape.layers = kept.map { source.shape.layers[$0] }
        self.shape = shape
    }

    /// The pooling of the source.
    public var pooling: Pooling { source.pooling }

    /// The source's embeddings.
    public func embeddings() throws -> EmbeddingWeights { try source.embeddings() }

    /// Reads the kept layer at an index.
    public func layer(_ index: Int) throws -> LayerWeights { try source.layer(kept[index]) }

    /// The source's head.
    public func head() throws -> HeadWeights { try source.head() }
}
