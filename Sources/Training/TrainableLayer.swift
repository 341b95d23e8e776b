internal import Tensors
internal import Transformers

/// A trainable transformer layer.
struct TrainableLayer: Sendable {
    struct Attention: Sendable {
        /// The query, key and value projections, stacked.
        var fused: TrainableLinear
        var output: TrainableLinear
        var queryNorm: TrainableNorm?
        var keyNorm: TrainableNorm?
        let heads: AttentionHeads
    }
    struct FeedForward: Sendable {
        /// The gate projection stacked on the up projection, or only the up projection.
        var first: TrainableLinear
        var down: TrainableLinear
        let isGated: Bool
    }

    /// The rotary positions of the layer, from its ``LayerShape``.
    let rotation: LayerShape.Rotation?
    var attention: Attention?
    var attentionNorm: TrainableNorm?
    var attentionOutputNorm: TrainableNorm?
    var feedForward: FeedForward?
    var feedForwardNorm: TrainableNorm?
    var feedForwardOutputNorm: TrainableNorm?

    init(
        _ weights: LayerWeights, shape: ModelShape, index: Int, precision: Precision,
        in arena: Arena
    ) {
        let sizes = shape.layers[index]
        rotation = sizes.rotation
        attention = weights.attention.map { block in
            Attention(
                fused: TrainableLinear(
                    Projection(stacking: [block.query, block.key, block.value]),
                    precision: precision, in: arena),
                output: TrainableLinear(block.output, precision: precision, in: arena),
                queryNorm: block.queryNorm.map(TrainableNorm.init),
                keyNorm: block.keyNorm.map(TrainableNorm.init),
                heads: shape.heads(of: sizes))
        }
        attentionNorm = weights.attentionNorm.map(TrainableNorm.init)
        attentionOutputNorm = weights.attentionOutputNorm.map(TrainableNorm.init)
        feedForward = weights.feedForward.map { block in
            FeedForward(
                first: TrainableLinear(block.joined, precision: precision, in: arena),
                down: TrainableLinear(block.down, precision: precision, in: arena),
                isGated: block.gate != nil)
        }
        feedForwardNorm = weights.feedForwardNorm.map(TrainableNorm.init)
        feedForwardOutputNorm = weights.feedForwardOutputNorm.map(TrainableNorm.init)
    }

    /// The current weights.
    var weights: LayerWeights {
        LayerWeights(
            attention: attention.map { block in
                let fused = block.fused.projection
                let (queries, keys) = (
                    block.heads.contextWidth, block.heads.keyValue * block.heads.dimension
                )
                func part(_ first: Int, _ count: Int) -> Projection {
                    fused.selecting(rows: Array(first..<first + count))
                }
                return AttentionWeights(
                    query: part(0, queries), key: part(queries, keys),
                    value: part(queries + keys, keys), output: block.output.projection,
                    queryNorm: block.queryNorm?.weights, keyNorm: block.keyNorm?.weights)
            }, attentionNorm: attentionNorm?.weights,
            attentionOutputNorm: attentionOutputNorm?.weights,
            feedForward: feedForward.map { block in
                FeedForwardWeights(
                    joined: block.first.projection, isGated: block.isGated,
                    down: block.down.projection)
            }, feedForwardNorm: feedForwardNorm?.weights,
            feedForwardOutputNorm: feedForwardOutputNorm?.weights)
    }

    /// Calls `body` with every parameter, always in the same order.
    mutating func visit(
        _ name: String, _ body: (String, inout Parameter) throws -> Void
    ) rethrows {
        try attention?.fused.visit(name + "attention.fused", body)
        try attention?.output.visit(name + "attention.output", body)
        try attention?.queryNorm?.visit(name + "attention.query_norm", body)
        try attention?.keyNorm?.visit(name + "attention.key_norm", body)
        try attentionNorm?.visit(name + "attention_norm", body)
        try attentionOutputNorm?.visit(name + "attention_output_norm", body)
        try feedForward?.first.visit(name + "feed_forward.first", body)
        try feedForward?.down.visit(name + "feed_forward.down", body)
        try feedForwardNorm?.visit(name + "feed_forward_norm", body)
        try feedForwardOutputNorm?.visit(name + "feed_forward_output_norm", body)
    }

    /// Packs changed weights for products.
    mutating func pack() {
        attention?.fused.pack()
        attention?.output.pack()
        feedForward?.first.pack()
        feedForward?.down.pack()
    }
}
