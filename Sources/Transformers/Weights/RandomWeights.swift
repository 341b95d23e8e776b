public import Tensors

/// Random weights for a model shape, for timing without the model's own weights.
public struct RandomWeights: WeightSource {
    /// The sizes of the model.
    public let shape: ModelShape
    private let seed: UInt64

    /// Creates a source of weights; equal seeds give equal weights.
    public init(shape: ModelShape, seed: UInt64 = 0) {
        self.shape = shape
        self.seed = seed
    }

    /// Random embeddings.
    public func embeddings() -> EmbeddingWeights {
        let tokens = matrix(shape.vocabularySize, shape.hiddenSize, seed)
        let (architecture, hidden) = (shape.architecture, shape.hiddenSize)
        return EmbeddingWeights(
            tokens: tokens,
            positions: architecture.positions == .learned
                ? matrix(shape.maximumPositions, hidden, seed + 1) : nil,
            types: architecture.segmentTypes > 0
                ? matrix(architecture.segmentTypes, hidden, seed + 2) : nil,
            norm: architecture.normalisesEmbeddings ? norm() : nil,
            biases: shape.biases.flatMap { biases in
                biases.tableRows.map { matrix($0, biases.heads, seed + 4) }
            })
    }

    /// Random weights of a layer, by its index from the input.
    public func layer(_ index: Int) -> LayerWeights {
        let layer = shape.layers[index]
        let (hidden, first) = (shape.hiddenSize, seed + 16 * UInt64(index + 1))
        let (queries, keys) = (
            layer.queryHeads * shape.headDimension, layer.keyValueHeads * shape.headDimension
        )
        let attention = AttentionWeights(
            query: projection(queries, hidden, first, .attentionInputBiases),
            key: projection(keys, hidden, first + 1, .attentionInputBiases),
            value: projection(keys, hidden, first + 2, .attentionInputBiases),
            output: projection(hidden, queries, first + 3, .attentionOutputBias),
            queryNorm: headNorm(), keyNorm: headNorm())
        let feedForward = FeedForwardWeights(
            gate: shape.architecture.layer.isGated
                ? projection(layer.feedForward, hidden, first + 4, .feedForwardInputBiases) : nil,
            up: projection(layer.feedForward, hidden, first + 5, .feedForwardInputBiases),
            down: projection(hidden, layer.feedForward, first + 6, .feedForwardOutputBias))
        let place = shape.architecture.layer.normPlace
        let (hasAttention, hasFeedForward) = (layer.queryHeads > 0, layer.feedForward > 0)
        return LayerWeights(
            attention: hasAttention ? attention : nil,
            attentionNorm: place.hasNorm(ofBranch: hasAttention) ? norm() : nil,
            attentionOutputNorm: place.hasOutputNorm(ofBranch: hasAttention) ? norm() : nil,
            feedForward: hasFeedForward ? feedForward : nil,
            feedForwardNorm: place.hasNorm(ofBranch: hasFeedForward) ? norm() : nil,
            feedForwardOutputNorm: place.hasOutputNorm(ofBranch: hasFeedForward) ? norm() : nil)
    }

    /// A random output head, with a final norm.
    public func head() -> HeadWeights {
        HeadWeights(
            norm: shape.architecture.hasFinalNorm ? norm() : nil,
            output: shape.architecture.isEncoder || shape.tiedHead
                ? nil : matrix(shape.vocabularySize, shape.hiddenSize, seed + 3))
    }

    /// The random weight of the output head, which may be the token embedding.
    public var headWeight: Matrix<Float> { head().output ?? embeddings().tokens }

    private func norm() -> NormWeights {
        norm(shape.architecture.layer.norm, width: shape.hiddenSize)
    }

    private func norm(_ kind: LayerRecipe.Norm, width: Int) -> NormWeights {
        NormWeights(
            weight: [Float](repeating: kind.addsOne ? 0 : 1, count: width),
            bias: kind.hasBias ? [Float](repeating: 0, count: width) : nil, kind: kind)
    }

    private func headNorm() -> NormWeights? {
        guard shape.hasHeadNorms else { return nil }
        return norm(shape.architecture.layer.norm.ofHeads, width: shape.headDimension)
    }

    private func projection(
        _ outputs: Int, _ inputs: Int, _ seed: UInt64, _ bias: OptionalWeights
    ) -> Projection {
        Projection(
            weight: matrix(outputs, inputs, seed),
            bias: shape.has(bias) ? [Float](repeating: 0.01, count: outputs) : nil)
    }

    private func matrix(_ rows: Int, _ columns: Int, _ seed: UInt64) -> Matrix<Float> {
        Matrix(randomRows: rows, columns: columns, seed: seed)
    }
}
