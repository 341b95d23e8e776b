public import ModelFiles
import Tensors

/// A transformer ready to run: its weights packed for the kernels, in the order they are used.
public struct Model: Sendable {
    /// The sizes of the model.
    public let shape: ModelShape

    let embeddings: Embeddings
    let layers: [Layer]
    let finalNorm: NormWeights?
    /// The output head; nil for encoders.
    let head: PackedWeights?
    let rotary: RotaryTable?

    struct Embeddings {
        /// Nil when the tied head holds the table.
        let tokens: Matrix<Float>?
        let positions: Matrix<Float>?
        let types: Matrix<Float>?
        let norm: NormWeights?
    }

    struct Layer {
        struct Attention {
            /// Queries, keys and values in one product.
            let fused: PackedWeights
            let output: PackedWeights
            let heads: AttentionHeads
        }
        struct FeedForward {
            /// The up projection, with the gate where there is one.
            let up: PackedWeights
            let down: PackedWeights
            let isGated: Bool
        }
        let attention: Attention?
        let attentionNorm: NormWeights?
        let feedForward: FeedForward?
        let feedForwardNorm: NormWeights?
    }

    /// Reads and packs every weight of a source, one layer at a time.
    ///
    /// - Parameters:
    ///   - source: Where the weights come from.
    ///   - progress: Called after each layer with the layers done.
    /// - Throws: What the source throws.
    public init(_ source: some WeightSource, progress: (Int) throws -> Void = { _ in }) throws {
        let arena = Arena()
        shape = source.shape
        let embeddings = try source.embeddings()
        let headWeights = try source.head()
        var layers: [Layer] = []
        for index in shape.layers.indices {
            layers.append(Layer(try source.layer(index), shape: shape, index: index, in: arena))
            try progress(index + 1)
        }
        self.layers = layers
        finalNorm = headWeights.norm
        let output = headWeights.output ?? (shape.tiedHead ? embeddings.tokens : nil)
        head = output.map { PackedWeights($0, in: arena) }
        self.embeddings = Embeddings(
            tokens: shape.tiedHead ? nil : embeddings.tokens, positions: embeddings.positions,
            types: embeddings.types, norm: embeddings.norm)
        rotary =
            shape.architecture == .llama
            ? RotaryTable(
                dimension: shape.headDimension, theta: shape.ropeTheta,
                positions: shape.maximumPositions) : nil
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
            shape: target, embeddings: embeddings,
            layers: zip(layers, target.layers).map { $0.resized(to: $1, shape: target) },
            finalNorm: finalNorm, head: head, rotary: rotary)
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
        layers[index] = Layer(weights, shape: shape, index: index, in: arena)
        return Model(
            shape: shape, embeddings: embeddings, layers: layers, finalNorm: finalNorm,
            head: head, rotary: rotary)
    }

    private init(
        shape: ModelShape, embeddings: Embeddings, layers: [Layer], finalNorm: NormWeights?,
        head: PackedWeights?, rotary: RotaryTable?
    ) {
        self.shape = shape
        self.embeddings = embeddings
        self.layers = layers
        self.finalNorm = finalNorm
        self.head = head
        self.rotary = rotary
    }
}

extension Model.Layer {
    fileprivate init(_ weights: LayerWeights, shape: ModelShape, index: Int, in arena: Arena) {
        let sizes = shape.layers[index]
        attention = weights.attention.map { block in
            Attention(
                fused: PackedWeights(
                    Matrix(stacking: [block.query.weight, block.key.weight, block.value.weight]),
                    bias: block.query.bias.map {
                        $0 + (block.key.bias ?? []) + (block.value.bias ?? [])
                    }, in: arena),
                output: PackedWeights(block.output.weight, bias: block.output.bias, in: arena),
                heads: AttentionHeads(
                    query: sizes.queryHeads, keyValue: sizes.keyValueHeads,
                    dimension: shape.headDimension))
        }
        attentionNorm = weights.attentionNorm
        feedForward = weights.feedForward.map { block in
            FeedForward(
                up: block.gate.map {
                    PackedWeights(
                        gate: $0.weight, up: block.up.weight, gateBias: $0.bias,
                        upBias: block.up.bias, in: arena)
                } ?? PackedWeights(block.up.weight, bias: block.up.bias, in: arena),
                down: PackedWeights(block.down.weight, bias: block.down.bias, in: arena),
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
                        heads: heads)
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
