internal import Tensors
public import Transformers

/// The weights of a model with components that are rounded, of which only the codes are in memory.
///
/// Layers can be read in any order.
public struct CodedLayers: WeightSource {
    private let base: any WeightSource
    private let branches: [Component: CodedBranch]

    init(_ base: any WeightSource, _ branches: [Component: CodedBranch]) {
        (self.base, self.branches) = (base, branches)
    }

    /// The sizes of the model.
    public var shape: ModelShape { base.shape }

    /// The pooling of an encoder.
    public var pooling: Pooling { base.pooling }

    /// The embeddings.
    public func embeddings() throws -> EmbeddingWeights { try base.embeddings() }

    /// The final norm and the output head.
    public func head() throws -> HeadWeights { try base.head() }

    /// The layer at an index, whose rounded projections have codes.
    public func layer(_ index: Int) throws -> LayerWeights {
        var layer = try base.layer(index)
        for kind in ComponentKind.allCases {
            branches[Component(layer: index, kind: kind)]?.replace(kind, of: &layer)
        }
        return layer
    }

    /// The sizes of a layer.
    public func outline(_ index: Int) throws -> LayerWeights { try base.outline(index) }
}

extension LayerRounding {
    /// Rounds all layers.
    ///
    /// - Parameter progress: Called repeatedly with the number of finished layers; may throw to stop.
    /// - Returns: The weights, which can be read in any order.
    /// - Throws: The errors of ``layer(_:check:)``.
    public func allLayers(progress: (Int) throws -> Void = { _ in }) throws -> CodedLayers {
        var branches: [Component: CodedBranch] = [:]
        for index in shape.layers.indices {
            let layer = try layer(index) { try progress(index) }
            for kind in ComponentKind.allCases where layer[outputOf: kind]?.codes != nil {
                branches[Component(layer: index, kind: kind)] = CodedBranch(layer, kind)
            }
        }
        return CodedLayers(weights, branches)
    }
}
