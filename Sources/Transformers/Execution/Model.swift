public import Tensors

/// A transformer ready to run: its weights packed for the kernels, in the order they are used.
public struct Model: Sendable {
    /// The sizes of the model.
    public let shape: ModelShape
    /// How the weights of linear layers and of the output head are stored.
    public let precision: Precision
    /// How an encoder's hidden states become vectors.
    public let pooling: Pooling

    let embeddings: Embeddings
    let layers: [Layer]
    let finalNorm: NormWeights?
    /// The output head; nil for encoders.
    let head: PackedWeights?
    let rotary: RotaryTable?
    /// What is left out token by token; nil where nothing is.
    var contextual: Contextual?

    struct Embeddings {
        /// Nil when the tied head holds the table.
        let tokens: Matrix<Float>?
        let positions: Matrix<Float>?
        let types: Matrix<Float>?
        let norm: NormWeights?

        init(_ weights: EmbeddingWeights, isHead: Bool = false) {
            tokens = isHead ? nil : weights.tokens
            positions = weights.positions
            types = weights.types
            norm = weights.norm
        }
    }

    struct Layer {
        struct Attention {
            /// Queries, keys and values in one product.
            let fused: PackedWeights
            let output: PackedWeights
            let heads: AttentionHeads
            /// Of each query head and of each key head, where they are normalised.
            let queryNorm: NormWeights?
            let keyNorm: NormWeights?
        }
        struct FeedForward {
            /// The up projection, with the gate where there is one.
            let up: PackedWeights
            let down: PackedWeights
            let isGated: Bool
        }
        /// For int8, of a decoder's down projections and of the head: a few of a token's
        /// activations there are far greater than the others, which 8 bits over the whole range
        /// leave too little of.
        static let fineActivations = 2

        let attention: Attention?
        let attentionNorm: NormWeights?
        let feedForward: FeedForward?
        let feedForwardNorm: NormWeights?
    }

    /// Reads and packs every weight of a source, one layer at a time.
    ///
    /// - Parameters:
    ///   - source: Where the weights come from.
    ///   - precision: How to store the weights of linear layers and of the output head.
    ///   - progress: Called after each layer with the layers done.
    /// - Throws: What the source throws, and ``NonFiniteError`` where a weight is too large for the
    ///   precision.
    public init(
        _ source: some WeightSource, precision: Precision = .f32,
        progress: (Int) throws -> Void = { _ in }
    ) throws {
        let arena = Arena()
        shape = source.shape
        pooling = source.pooling
        self.precision = precision
        var layers: [Layer] = []
        for index in shape.layers.indices {
            let weights = try source.layer(index)
            try precision.check(weights, index: index)
            layers.append(
                Layer(weights, shape: shape, index: index, precision: precision, in: arena))
            try progress(index + 1)
        }
        self.layers = layers
        // The largest tables of all come last, when no layer is unpacked beside them.
        let (embeddings, headWeights) = (try source.embeddings(), try source.head())
        finalNorm = headWeights.norm
        let output = headWeights.output ?? (shape.tiedHead ? embeddings.tokens : nil)
        try precision.check(output, "the output head")
        head = output.map {
            PackedWeights(
                $0, precision: precision, activationTerms: Layer.fineActivations, in: arena)
        }
        self.embeddings = Embeddings(embeddings, isHead: shape.tiedHead)
        rotary = RotaryTable(shape)
    }

    /// The embeddings of a source, with layers that do nothing and no output head.
    ///
    /// To run a model layer by layer, put one after another in by ``replacing(layer:with:sizes:)``.
    ///
    /// - Parameter source: Where the weights come from.
    /// - Throws: What the source throws.
    public init(embeddingsOf source: some WeightSource) throws {
        let embeddings = try source.embeddings()
        let shape = source.shape
        let nothing = Layer(
            attention: nil, attentionNorm: nil, feedForward: nil, feedForwardNorm: nil)
        self.init(
            shape: shape, precision: .f32, pooling: source.pooling,
            embeddings: Embeddings(embeddings),
            layers: [Layer](repeating: nothing, count: shape.layers.count), finalNorm: nil,
            head: nil, rotary: RotaryTable(shape))
    }

    /// The bytes of weights that one decode step reads: every layer and the head.
    public var streamedBytes: Int {
        layers.reduce(head?.byteCount ?? 0) { sum, layer in
            sum + (layer.attention.map { $0.fused.byteCount + $0.output.byteCount } ?? 0)
                + (layer.feedForward.map { $0.up.byteCount + $0.down.byteCount } ?? 0)
        }
    }

    /// A model of a smaller shape in the same memory, for timing only: it does the work and reads
    /// the bytes that such a model would, but its values mean nothing.
    public func resized(to target: ModelShape) -> Model {
        Model(
            shape: target, precision: precision, pooling: pooling, embeddings: embeddings,
            layers: zip(layers, target.layers).map { $0.resized(to: $1, shape: target) },
            finalNorm: finalNorm, head: head, rotary: rotary)
    }

    /// The model of some of its layers, ascending, in the same memory.
    public func keeping(layers kept: [Int]) -> Model {
        var shape = shape
        shape.layers = kept.map { shape.layers[$0] }
        return Model(
            shape: shape, precision: precision, pooling: pooling, embeddings: embeddings,
            layers: kept.map { layers[$0] }, finalNorm: finalNorm, head: head, rotary: rotary)
    }

    /// The same model with one layer's weights changed; the other layers are shared.
    ///
    /// - Parameters:
    ///   - index: The layer.
    ///   - weights: Its new weights.
    ///   - sizes: Their sizes.
    /// - Returns: The changed model.
    public func replacing(
        layer index: Int, with weights: LayerWeights, sizes: LayerShape
    ) -> Model {
        var (shape, layers) = (shape, layers)
        shape.layers[index] = sizes
        let arena = Arena(regionFloats: 1 << 16)
        layers[index] = Layer(
            weights, shape: shape, index: index, precision: precision, in: arena)
        return Model(
            shape: shape, precision: precision, pooling: pooling, embeddings: embeddings,
            layers: layers,
            finalNorm: finalNorm, head: head, rotary: rotary)
    }

    private init(
        shape: ModelShape, precision: Precision, pooling: Pooling, embeddings: Embeddings,
        layers: [Layer], finalNorm: NormWeights?, head: PackedWeights?, rotary: RotaryTable?
    ) {
        self.shape = shape
        self.precision = precision
        self.pooling = pooling
        self.embeddings = embeddings
        self.layers = layers
        self.finalNorm = finalNorm
        self.head = head
        self.rotary = rotary
    }
}

extension Model.Layer {
    fileprivate init(
        _ weights: LayerWeights, shape: ModelShape, index: Int, precision: Precision,
        in arena: Arena
    ) {
        let sizes = shape.layers[index]
        func pack(_ projection: Projection, activationTerms: Int = 1) -> PackedWeights {
            PackedWeights(
                projection.weight, bias: projection.bias, precision: precision,
                activationTerms: activationTerms, in: arena)
        }
        attention = weights.attention.map { block in
            Attention(
                fused: pack(Projection(stacking: [block.query, block.key, block.value])),
                output: pack(block.output),
                heads: AttentionHeads(
                    query: sizes.queryHeads, keyValue: sizes.keyValueHeads,
                    dimension: shape.headDimension),
                queryNorm: block.queryNorm, keyNorm: block.keyNorm)
        }
        attentionNorm = weights.attentionNorm
        feedForward = weights.feedForward.map { block in
            FeedForward(
                up: block.gate.map {
                    PackedWeights(
                        gate: $0.weight, up: block.up.weight, gateBias: $0.bias,
                        upBias: block.up.bias, precision: precision, in: arena)
                } ?? pack(block.up),
                down: pack(
                    block.down,
                    activationTerms: shape.architecture.isEncoder ? 1 : Self.fineActivations),
                isGated: block.gate != nil)
        }
        feedForwardNorm = weights.feedForwardNorm
    }

    fileprivate func resized(to sizes: LayerShape, shape: ModelShape) -> Self {
        let heads = AttentionHeads(
            query: sizes.queryHeads, keyValue: sizes.keyValueHeads,
            dimension: shape.headDimension)
        return Self(
            attention: sizes.queryHeads == 0
                ? nil
                : attention.map {
                    Attention(
                        fused: $0.fused.resized(
                            inputs: $0.fused.inputs, outputs: heads.fusedWidth),
                        output: $0.output.resized(
                            inputs: heads.contextWidth, outputs: $0.output.outputs),
                        heads: heads, queryNorm: $0.queryNorm, keyNorm: $0.keyNorm)
                },
            attentionNorm: attentionNorm,
            feedForward: sizes.feedForward == 0
                ? nil
                : feedForward.map {
                    FeedForward(
                        up: $0.up.resized(inputs: $0.up.inputs, outputs: sizes.feedForward),
                        down: $0.down.resized(
                            inputs: sizes.feedForward, outputs: $0.down.outputs),
                        isGated: $0.isGated)
                },
            feedForwardNorm: feedForwardNorm)
    }
}
