public import Tensors

/// A linear layer: `weight [outputs, inputs]` and perhaps a bias of `outputs` values.
public struct Projection: Sendable, Equatable {
    /// Shape `[outputs, inputs]`.
    public var weight: Matrix<Float>
    /// One value per output, or nil.
    public var bias: [Float]?

    /// Creates a linear layer.
    public init(weight: Matrix<Float>, bias: [Float]? = nil) {
        self.weight = weight
        self.bias = bias
    }

    /// The outputs of some projections of the same inputs, one after another.
    public init(stacking parts: [Projection]) {
        weight = Matrix(stacking: parts.map(\.weight))
        guard parts.contains(where: { $0.bias != nil }) else { return }
        bias = parts.flatMap { $0.bias ?? [Float](repeating: 0, count: $0.weight.rows) }
    }

    /// The outputs at some places alone, in that order.
    public func selecting(rows: [Int]) -> Projection {
        Projection(
            weight: weight.selecting(rows: rows), bias: bias.map { bias in rows.map { bias[$0] } })
    }
}

/// The scale and, in layer norms, the shift of a norm.
public struct NormWeights: Sendable, Equatable {
    /// One factor per channel.
    public var weight: [Float]
    /// One term per channel; nil for RMS norms.
    public var bias: [Float]?

    /// Creates the weights of a norm.
    public init(weight: [Float], bias: [Float]? = nil) {
        self.weight = weight
        self.bias = bias
    }
}

/// The projections of an attention block.
public struct AttentionWeights: Sendable, Equatable {
    /// Shape `[queryHeads · headDimension, hidden]`.
    public var query: Projection
    /// Shape `[keyValueHeads · headDimension, hidden]`.
    public var key: Projection
    /// Shape `[keyValueHeads · headDimension, hidden]`.
    public var value: Projection
    /// Shape `[hidden, queryHeads · headDimension]`.
    public var output: Projection
    /// Of each query head, one factor per channel of a head; nil where heads are not normalised.
    public var queryNorm: NormWeights?
    /// Of each key head.
    public var keyNorm: NormWeights?

    /// Creates an attention block.
    public init(
        query: Projection, key: Projection, value: Projection, output: Projection,
        queryNorm: NormWeights? = nil, keyNorm: NormWeights? = nil
    ) {
        self.query = query
        self.key = key
        self.value = value
        self.output = output
        self.queryNorm = queryNorm
        self.keyNorm = keyNorm
    }
}

/// The projections of a feed-forward block.
public struct FeedForwardWeights: Sendable, Equatable {
    /// Shape `[feedForward, hidden]`; nil where the block has no gate.
    public var gate: Projection?
    /// Shape `[feedForward, hidden]`.
    public var up: Projection
    /// Shape `[hidden, feedForward]`.
    public var down: Projection

    /// Creates a feed-forward block.
    public init(gate: Projection?, up: Projection, down: Projection) {
        self.gate = gate
        self.up = up
        self.down = down
    }
}

/// One layer; a branch that is nil adds nothing to the residual stream.
public struct LayerWeights: Sendable, Equatable {
    /// Nil when the attention block is gone.
    public var attention: AttentionWeights?
    /// Before the attention block, or after it in post-norm models; nil if gone with it.
    public var attentionNorm: NormWeights?
    /// Nil when the feed-forward block is gone.
    public var feedForward: FeedForwardWeights?
    /// Before the feed-forward block, or after it in post-norm models; nil if gone with it.
    public var feedForwardNorm: NormWeights?

    /// Creates a layer.
    public init(
        attention: AttentionWeights?, attentionNorm: NormWeights?,
        feedForward: FeedForwardWeights?, feedForwardNorm: NormWeights?
    ) {
        self.attention = attention
        self.attentionNorm = attentionNorm
        self.feedForward = feedForward
        self.feedForwardNorm = feedForwardNorm
    }

    /// The linear layer behind a component's units, whose input columns are the units.
    public func outputProjection(of kind: ComponentKind) -> Projection? {
        switch kind {
        case .attention: attention?.output
        case .feedForward: feedForward?.down
        }
    }
}

/// What turns token ids into the first hidden state.
public struct EmbeddingWeights: Sendable, Equatable {
    /// Shape `[vocabulary, hidden]`.
    public var tokens: Matrix<Float>
    /// Shape `[positions, hidden]`, behind rows of reserved positions in RoBERTa; nil with rotary
    /// positions.
    public var positions: Matrix<Float>?
    /// Shape `[types, hidden]`; nil without segment types.
    public var types: Matrix<Float>?
    /// Nil where the first hidden state is not normalised.
    public var norm: NormWeights?

    /// Creates embeddings.
    public init(
        tokens: Matrix<Float>, positions: Matrix<Float>? = nil, types: Matrix<Float>? = nil,
        norm: NormWeights? = nil
    ) {
        self.tokens = tokens
        self.positions = positions
        self.types = types
        self.norm = norm
    }
}

/// What turns the last hidden state into the result.
public struct HeadWeights: Sendable, Equatable {
    /// Nil in post-norm models, whose last layer ends in a norm.
    public var norm: NormWeights?
    /// Shape `[vocabulary, hidden]`; nil where it is the token embedding or there is no head.
    public var output: Matrix<Float>?

    /// Creates a head.
    public init(norm: NormWeights?, output: Matrix<Float>?) {
        self.norm = norm
        self.output = output
    }
}

/// Somewhere weights come from, a layer at a time, so that a whole model need not be in memory.
public protocol WeightSource: Sendable {
    /// The sizes of everything that can be read.
    var shape: ModelShape { get }
    /// How an encoder's hidden states become vectors; by default the mean.
    var pooling: Pooling { get }
    /// Reads the embeddings.
    func embeddings() throws -> EmbeddingWeights
    /// Reads the layer at an index from the input.
    func layer(_ index: Int) throws -> LayerWeights
    /// Something of the same sizes as the layer at an index, where that is less work.
    func outline(_ index: Int) throws -> LayerWeights
    /// Reads what follows the last layer.
    func head() throws -> HeadWeights
}

extension WeightSource {
    /// The mean of the tokens.
    public var pooling: Pooling { .mean }

    /// The layer itself.
    public func outline(_ index: Int) throws -> LayerWeights { try layer(index) }
}
