public import Tensors
public import Transformers

/// A trainable transformer.
///
/// As a `WeightSource` it returns its current weights.
public struct TrainableModel: WeightSource {
    /// The sizes of the model.
    public let shape: ModelShape
    /// The pooling of an encoder's hidden states into vectors.
    public let pooling: Pooling

    /// The token embeddings; nil if the tied head contains them.
    var tokens: Parameter?
    var positions: Parameter?
    var types: Parameter?
    var embeddingNorm: TrainableNorm?
    /// The table of terms of attention scores; nil if there is none.
    var biases: Parameter?
    var layers: [TrainableLayer] = []
    var finalNorm: TrainableNorm?
    /// The output head; nil for encoders.
    var output: TrainableLinear?
    /// The head that labels sequences or finds spans; nil if there is none.
    var labelling: TrainableClassifier?

    /// Creates a trainable model from the weights of a source.
    ///
    /// - Parameters:
    ///   - source: The source of the weights.
    ///   - classifier: An encoder's head, which is trained too.
    ///   - precision: The precision of products: `f32`, `f16` or `bf16`. Weights are stored in f32.
    /// - Throws: Any error of reading the weights.
    public init(
        _ source: some WeightSource, classifier: Classifier? = nil, precision: Precision = .f32
    ) throws {
        (shape, pooling) = (source.shape, source.pooling)
        let arena = Arena()
        let (embeddings, head) = (try source.embeddings(), try source.head())
        let table = head.output ?? (shape.tiedHead ? embeddings.tokens : nil)
        output = table.map {
            TrainableLinear(Projection(weight: $0), precision: precision, in: arena)
        }
        tokens = shape.tiedHead ? nil : Parameter(embeddings.tokens)
        positions = embeddings.positions.map { Parameter($0) }
        types = embeddings.types.map { Parameter($0) }
        embeddingNorm = embeddings.norm.map(TrainableNorm.init)
        biases = embeddings.biases.map { Parameter($0) }
        for index in shape.layers.indices {
            layers.append(
                TrainableLayer(
                    try source.layer(index), shape: shape, index: index, precision: precision,
                    in: arena))
        }
        finalNorm = head.norm.map(TrainableNorm.init)
        labelling = classifier.map { TrainableClassifier($0, in: arena) }
    }

    /// The current head of an encoder.
    public var classifier: Classifier? { labelling?.classifier }

    /// The current embeddings.
    public func embeddings() -> EmbeddingWeights {
        EmbeddingWeights(
            tokens: table, positions: positions?.values, types: types?.values,
            norm: embeddingNorm?.weights, biases: biases?.values)
    }

    /// The current weights of a layer.
    public func layer(_ index: Int) -> LayerWeights { layers[index].weights }

    /// The current output head.
    public func head() -> HeadWeights {
        HeadWeights(
            norm: finalNorm?.weights, output: shape.tiedHead ? nil : output?.weight.values)
    }

    /// The token embeddings.
    var table: Matrix<Float> {
        tokens?.values ?? output?.weight.values ?? Matrix(rows: 0, columns: shape.hiddenSize)
    }

    /// Calls `body` with every parameter and its name, always in the same order.
    public mutating func visit(_ body: (String, inout Parameter) throws -> Void) rethrows {
        if tokens != nil { try body("embeddings.tokens", &tokens!) }
        if positions != nil { try body("embeddings.positions", &positions!) }
        if types != nil { try body("embeddings.types", &types!) }
        try embeddingNorm?.visit("embeddings.norm", body)
        if biases != nil { try body("biases", &biases!) }
        for index in layers.indices { try layers[index].visit("layers.\(index).", body) }
        try finalNorm?.visit("final_norm", body)
        try output?.visit("head", body)
        try labelling?.visit("classifier", body)
    }

    /// Freezes the tables of embeddings and the output head.
    mutating func freezeEmbeddings() {
        tokens?.isFrozen = true
        positions?.isFrozen = true
        types?.isFrozen = true
        output?.weight.isFrozen = true
    }

    /// A model whose weights are the gradients, so that gradients can be read by weight names.
    var gradients: TrainableModel {
        var model = self
        model.visit { $1.values = $1.gradient }
        return model
    }

    /// Clears all gradients.
    public mutating func clearGradients(on engine: Engine) {
        visit { $1.clearGradient(on: engine.pool) }
    }

    /// Packs changed weights for products.
    mutating func pack(on pool: ThreadPool) {
        let count = layers.count
        withPointers(writing: &layers) { layers in
            pool.forEach(count) { index, _ in layers[index].pack() }
        }
        output?.pack(on: pool)
        labelling?.pack()
    }
}
