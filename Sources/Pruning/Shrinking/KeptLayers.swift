public import Transformers

/// A model of some of another's layers, as they are.
public struct KeptLayers<Source: WeightSource>: WeightSource {
    /// The sizes that are left.
    public let shape: ModelShape

    private let source: Source
    private let kept: [Int]

    /// Keeps layers of a model.
    ///
    /// - Parameters:
    ///   - source: The model.
    ///   - kept: The layers, ascending.
    public init(_ source: Source, layers kept: [Int]) {
        self.source = source
        self.kept = kept
        var shape = source.shape
        shape.layers = kept.map { source.shape.layers[$0] }
        self.shape = shape
    }

    /// The source's.
    public var pooling: Pooling { source.pooling }

    /// The source's embeddings.
    public func embeddings() throws -> EmbeddingWeights { try source.embeddings() }

    /// The layer at a place among those kept.
    public func layer(_ index: Int) throws -> LayerWeights { try source.layer(kept[index]) }

    /// The source's head.
    public func head() throws -> HeadWeights { try source.head() }
}
