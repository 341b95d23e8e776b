public import Tensors

/// A transformer that is ready to run, with its weights packed for the kernels in the order of use.
public struct Model: Sendable {
    /// The sizes of the model.
    public let shape: ModelShape
    /// The format of each matrix of linear layers and of the output head.
    public let formats: Formats
    /// The pooling of an encoder.
    public let pooling: Pooling

    let embeddings: Embeddings
    let layers: [Layer]
    let finalNorm: NormWeights?
    /// The output head; nil for encoders.
    let head: PackedWeights?
    let rotaries: RotaryTables
    /// The terms of attention scores; nil if nothing is added.
    let biases: ScoreBiases?
    /// The parts that are skipped for individual tokens; nil if there are none.
    var contextual: Contextual?

    struct Embeddings {
        /// Nil if the output head has the same weights, or if they are in 8 bits.
        let tokens: Matrix<Float>?
        /// The token embedding in 8 bits, or nil.
        let bytes: ByteMatrix?
        let positions: Matrix<Float>?
        let types: Matrix<Float>?
        let norm: NormWeights?

        init(_ weights: EmbeddingWeights, isHead: Bool = false, isInBytes: Bool = false) {
            tokens = isHead || isInBytes ? nil : weights.tokens
            bytes = isInBytes ? ByteMatrix(rounding: weights.tokens) : nil
            positions = weights.positions
            types = weights.types
            norm = weights.norm?.folded
        }
    }

    struct Layer {
        struct Attention {
            /// The query, key and value projections, stacked.
            let fused: PackedWeights
            let output: PackedWeights
            let heads: AttentionHeads
            /// The norm of query heads; nil if they are not normalised.
            let queryNorm: NormWeights?
            let keyNorm: NormWeights?
        }
        struct FeedForward {
            /// The up projection, and the gate projection if there is one.
            let up: PackedWeights
            let down: PackedWeights
            let isGated: Bool
        }
        /// The number of 8-bit terms for each activation, in int8 down projections of decoders and
        /// in the int8 output head.
        ///
        /// In these matrices, some activations of a token are far greater than the others. One
        /// 8-bit term over the complete range is too coarse for the small activations.
        static let fineActivations = 2

        let attention: Attention?
        let attentionNorm: NormWeights?
        let attentionOutputNorm: NormWeights?
        let feedForward: FeedForward?
        let feedForwardNorm: NormWeights?
        let feedForwardOutputNorm: NormWeights?
    }

    /// Reads and packs every weight of a source, one layer at a time.
    ///
    /// - Parameters:
    ///   - source: The source of the weights.
    ///   - precision: The format of all matrices of linear layers and of the output head.
    ///   - progress: Called after each layer with the number of finished layers.
    /// - Throws: The errors of the source, and ``NonFiniteError`` if a weight is too large for the
    ///   format.
    public init(
        _ source: some WeightSource, precision: Precision = .f32,
        progress: (Int) throws -> Void = { _ in }
    ) throws {
        try self.init(
            source, formats: Formats(uniform: precision, layers: source.shape.layers.count),
            progress: progress)
    }

    /// Reads and packs every weight of a source, each in the format of its matrix.
    ///
    /// - Parameters:
    ///   - source: The source of the weights.
    ///   - formats: The format of each matrix.
    ///   - progress: Called after each layer with the number of finished layers.
    /// - Throws: The errors of the source, and ``NonFiniteError`` if a weight is too large for its
    ///   format.
    public init(
        _ source: some WeightSource, formats: Formats,
        progress: (Int) throws -> Void = { _ in }
    ) throws {
        let arena = Arena()
        shape = source.shape
        precondition(formats.layers.count == shape.layers.count, "formats of every layer")
        pooling = source.pooling
        self.formats = formats
        var layers: [Layer] = []
        for index in shape.layers.indices {
            let weights = try source.layer(index)
            try formats.layers[index].check(weights, index: index)
            layers.append(
                Layer(
                    weights, shape: shape, index: index, formats: formats.layers[index], in: arena))
            try progress(index + 1)
        }
        self.layers = layers
        // The embeddings and the head are the largest matrices, so they are read last, without an
        // unpacked layer in memory.
        let (embeddings, headWeights) = (try source.embeddings(), try source.head())
        finalNorm = headWeights.norm?.folded
        let output = headWeights.output ?? (shape.tiedHead ? embeddings.tokens : nil)
        try formats.head.check(output, "the output head")
        head = output.map { PackedWeights(head: $0, in: formats.head, arena) }
        self.embeddings = Embeddings(
            embeddings, isHead: shape.tiedHead,
            isInBytes: !shape.tiedHead && formats.table(of: shape) == .int8)
        rotaries = RotaryTables(shape)
        biases = ScoreBiases(shape, table: embeddings.biases)
    }

    /// Creates a model with the embeddings of a source, without output head and with empty layers.
    ///
    /// To run a model layer by layer, insert each layer with ``replacing(layer:with:sizes:)``.
    ///
    /// - Parameter source: The source of the weights.
    /// - Throws: The errors of the source.
    public init(embeddingsOf source: some WeightSource) throws {
        let embeddings = try source.embeddings()
        let shape = source.shape
        let nothing = Layer(
            attention: nil, attentionNorm: nil, attentionOutputNorm: nil, feedForward: nil,
            feedForwardNorm: nil, feedForwardOutputNorm: nil)
        self.init(
            shape: shape, formats: Formats(uniform: .f32, layers: shape.layers.count),
            pooling: source.pooling, embeddings: Embeddings(embeddings),
            layers: [Layer](repeating: nothing, count: shape.layers.count), finalNorm: nil,
            head: nil, rotaries: RotaryTables(shape),
            biases: ScoreBiases(shape, table: embeddings.biases))
    }

    /// The number of bytes of weights that one decoding step reads, in all layers and the output
    /// head.
    public var streamedBytes: Int {
        layers.reduce(head?.byteCount ?? 0) { sum, layer in
            sum + (layer.attention.map { $0.fused.byteCount + $0.output.byteCount } ?? 0)
                + (layer.feedForward.map { $0.up.byteCount + $0.down.byteCount } ?? 0)
        }
    }

    /// The number of bytes of all weights in memory.
    ///
    /// They are the weights of the layers and of the output head, and the embeddings.
    public var weightBytes: Int {
        let tables = [embeddings.tokens, embeddings.positions, embeddings.types]
        return tables.reduce(streamedBytes + (embeddings.bytes?.byteCount ?? 0)) {
            $0 + ($1.map { MemoryLayout<Float>.size * $0.rows * $0.columns } ?? 0)
        }
    }

    /// Creates a model of a smaller shape in the same memory, for timing only.
    ///
    /// It does the same work and reads the same number of bytes as a real model of that shape. Its
    /// results are meaningless.
    public func resized(to target: ModelShape) -> Model {
        Model(
            shape: target, formats: formats, pooling: pooling, embeddings: embeddings,
            layers: zip(layers, target.layers).map { $0.resized(to: $1, shape: target) },
            finalNorm: finalNorm, head: head, rotaries: rotaries, biases: biases)
    }

    /// Creates a model whose matrices are those of several models, in the same memory.
    ///
    /// - Parameters:
    ///   - models: The same model in several formats, each format throughout.
    ///   - heads: The same model with output heads in further formats.
    ///   - formats: The format of each matrix, one of those of `models`; that of the output head may
    ///     also be one of `heads`.
    public init(
        choosingFrom models: [Precision: Model], heads: [Precision: Model] = [:], formats: Formats
    ) {
        func model(_ format: Precision) -> Model {
            guard let model = models[format] else { preconditionFailure("a model in \(format)") }
            return model
        }
        // The head of a format can have another format, which no other model needs to have.
        let withHead =
            heads[formats.head]
            ?? ([formats.head] + models.keys).compactMap { models[$0] }
            .first { $0.formats.head == formats.head }
        guard let head = withHead else { preconditionFailure("a head in \(formats.head)") }
        let layers = formats.layers.enumerated().map { index, formats in
            model(formats.attention).layers[index].taking(
                feedForwardOf: model(formats.feedForward).layers[index])
        }
        self.init(
            shape: head.shape, formats: formats, pooling: head.pooling,
            embeddings: head.embeddings, layers: layers, finalNorm: head.finalNorm,
            head: head.head, rotaries: head.rotaries, biases: head.biases)
    }

    /// Creates a model of some of the layers in the same memory.
    ///
    /// The indices are in ascending order.
    public func keeping(layers kept: [Int]) -> Model {
        var (shape, formats) = (shape, formats)
        shape.layers = kept.map { shape.layers[$0] }
        formats.layers = kept.map { formats.layers[$0] }
        return Model(
            shape: shape, formats: formats, pooling: pooling, embeddings: embeddings,
            layers: kept.map { layers[$0] }, finalNorm: finalNorm, head: head, rotaries: rotaries,
            biases: biases)
    }

    /// Creates a model with other weights in one layer, which shares the other layers.
    ///
    /// - Parameters:
    ///   - index: The index of the layer.
    ///   - weights: The new weights of the layer.
    ///   - sizes: The sizes of the new weights.
    /// - Returns: The new model.
    public func replacing(
        layer index: Int, with weights: LayerWeights, sizes: LayerShape
    ) -> Model {
        var (shape, layers) = (shape, layers)
        shape.layers[index] = sizes
        let arena = Arena(regionFloats: 1 << 16)
        layers[index] = Layer(
            weights, shape: shape, index: index, formats: formats.layers[index], in: arena)
        return Model(
            shape: shape, formats: formats, pooling: pooling, embeddings: embeddings,
            layers: layers, finalNorm: finalNorm, head: head, rotaries: rotaries, biases: biases)
    }

    /// Creates a model with another output head, which shares everything else.
    ///
    /// - Parameters:
    ///   - weight: The weight of the head, and of a token embedding that is tied to it.
    ///   - format: The format of the head.
    /// - Returns: The new model.
    public func replacingHead(by weight: Matrix<Float>, in format: Precision) -> Model {
        var formats = formats
        formats.head = format
        return Model(
            shape: shape, formats: formats, pooling: pooling, embeddings: embeddings,
            layers: layers, finalNorm: finalNorm,
            head: PackedWeights(head: weight, in: format, Arena()),
            rotaries: rotaries, biases: biases)
    }

    private init(
        shape: ModelShape, formats: Formats, pooling: Pooling, embeddings: Embeddings,
        layers: [Layer], finalNorm: NormWeights?, head: PackedWeights?, rotaries: RotaryTables,
        biases: ScoreBiases?
    ) {
        self.shape = shape
        self.formats = formats
        self.pooling = pooling
        self.embeddings = embeddings
        self.layers = layers
        self.finalNorm = finalNorm
        self.head = head
        self.rotaries = rotaries
        self.biases = biases
    }
}

extension PackedWeights {
    /// Packs an output head; a weight that was rounded to 4 bits before keeps its values.
    fileprivate init(head weight: Matrix<Float>, in format: Precision, _ arena: Arena) {
        let terms = Model.Layer.fineActivations
        if format == .int4 {
            self.init(
                Int4Matrix(rounding: weight, by: .leastSquares), activationTerms: terms, in: arena)
        } else {
            self.init(weight, precision: format, activationTerms: terms, in: arena)
        }
    }
}

extension Model.Layer {
    fileprivate init(
        _ weights: LayerWeights, shape: ModelShape, index: Int, formats: Formats.Layer,
        in arena: Arena
    ) {
        let sizes = shape.layers[index]
        func pack(
            _ projection: Projection, _ format: Precision, activationTerms: Int = 1
        ) -> PackedWeights {
            if format == .int4, let codes = projection.int4 {
                return PackedWeights(
                    codes, bias: projection.bias, activationTerms: activationTerms, in: arena)
            }
            return PackedWeights(
                projection.weight, bias: projection.bias, precision: format,
                activationTerms: activationTerms, in: arena)
        }
        attention = weights.attention.map { block in
            Attention(
                fused: pack(
                    Projection(stacking: [block.query, block.key, block.value]),
                    formats.attention),
                output: pack(block.output, formats.attention),
                heads: shape.heads(of: sizes),
                queryNorm: block.queryNorm?.folded, keyNorm: block.keyNorm?.folded)
        }
        attentionNorm = weights.attentionNorm?.folded
        attentionOutputNorm = weights.attentionOutputNorm?.folded
        feedForward = weights.feedForward.map { block in
            FeedForward(
                up: block.gate.map { gate in
                    if formats.feedForward == .int4, let first = gate.int4,
                        let second = block.up.int4
                    {
                        return PackedWeights(
                            gate: first, up: second, gateBias: gate.bias, upBias: block.up.bias,
                            in: arena)
                    }
                    return PackedWeights(
                        gate: gate.weight, up: block.up.weight, gateBias: gate.bias,
                        upBias: block.up.bias, precision: formats.feedForward, in: arena)
                } ?? pack(block.up, formats.feedForward),
                down: pack(
                    block.down, formats.feedForward,
                    activationTerms: shape.architecture.isEncoder ? 1 : Self.fineActivations),
                isGated: block.gate != nil)
        }
        feedForwardNorm = weights.feedForwardNorm?.folded
        feedForwardOutputNorm = weights.feedForwardOutputNorm?.folded
    }

    /// The layer with the feed-forward block of another layer, and the norms of that block.
    fileprivate func taking(feedForwardOf other: Self) -> Self {
        Self(
            attention: attention, attentionNorm: attentionNorm,
            attentionOutputNorm: attentionOutputNorm, feedForward: other.feedForward,
            feedForwardNorm: other.feedForwardNorm,
            feedForwardOutputNorm: other.feedForwardOutputNorm)
    }

    fileprivate func resized(to sizes: LayerShape, shape: ModelShape) -> Self {
        let heads = shape.heads(of: sizes)
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
            attentionNorm: attentionNorm, attentionOutputNorm: attentionOutputNorm,
            feedForward: sizes.feedForward == 0
                ? nil
                : feedForward.map {
                    FeedForward(
                        up: $0.up.resized(inputs: $0.up.inputs, outputs: sizes.feedForward),
                        down: $0.down.resized(
                            inputs: sizes.feedForward, outputs: $0.down.outputs),
                        isGated: $0.isGated)
                },
            feedForwardNorm: feedForwardNorm, feedForwardOutputNorm: feedForwardOutputNorm)
    }
}

extension Projection {
    /// The weight in 4 bits if it is rounded to the values of ``Precision/int4``; otherwise nil.
    fileprivate var int4: Int4Matrix? {
        guard let codes, codes.grid == .q40, codes.columns % Int4Matrix.group == 0 else {
            return nil
        }
        return Int4Matrix(
            rows: codes.rows, columns: codes.columns, blocks: codes.blocks(of: .q40))
    }
}
