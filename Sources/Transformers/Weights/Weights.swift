public import Tensors

/// A linear layer: a weight `[outputs, inputs]` and an optional bias of `outputs` values.
public struct Projection: Sendable, Equatable {
    /// Shape `[outputs, inputs]`.
    public var weight: Matrix<Float> { didSet { codes = nil } }
    /// The codes of ``weight`` if it is rounded to a grid, or nil.
    public private(set) var codes: CodedMatrix?
    /// One value per output, or nil.
    public var bias: [Float]?

    /// Creates a linear layer.
    public init(weight: Matrix<Float>, bias: [Float]? = nil) {
        self.weight = weight
        self.bias = bias
    }

    /// Creates a linear layer whose weight is rounded to a grid.
    public init(codes: CodedMatrix, bias: [Float]? = nil) {
        self.init(weight: codes.values, bias: bias)
        self.codes = codes
    }

    /// Creates a projection that computes the outputs of several projections of the same inputs.
    ///
    /// The outputs are in the order of the projections.
    public init(stacking parts: [Projection]) {
        weight = Matrix(stacking: parts.map(\.weight))
        let coded = parts.compactMap(\.codes)
        if let grid = coded.first?.grid, coded.count == parts.count,
            coded.allSatisfy({ $0.grid == grid })
        {
            codes = CodedMatrix(stacking: coded)
        }
        guard parts.contains(where: { $0.bias != nil }) else { return }
        bias = parts.flatMap { $0.bias ?? [Float](repeating: 0, count: $0.weight.rows) }
    }

    /// Creates a projection that computes only some outputs, in the given order.
    public func selecting(rows: [Int]) -> Projection {
        let bias = bias.map { bias in rows.map { bias[$0] } }
        return codes.map { Projection(codes: $0.selecting(rows: rows), bias: bias) }
            ?? Projection(weight: weight.selecting(rows: rows), bias: bias)
    }
}

/// The weight of a norm and its bias, as files store them.
public struct NormWeights: Sendable, Equatable {
    /// One value per channel; see ``factors``.
    public var weight: [Float]
    /// One value per channel, which is added; nil if the norm has no bias.
    public var bias: [Float]?
    /// The kind of the norm.
    public let kind: LayerRecipe.Norm

    /// Creates the weights of a norm.
    ///
    /// By default it is a layer norm if it has a bias, or else an RMS norm.
    public init(weight: [Float], bias: [Float]? = nil, kind: LayerRecipe.Norm? = nil) {
        self.weight = weight
        self.bias = bias
        self.kind = kind ?? (bias == nil ? .rootMeanSquare : .layer)
    }

    /// One factor per channel: the weight, or the weight plus 1.
    public var factors: [Float] { kind.addsOne ? weight.map { 1 + $0 } : weight }

    /// The norm with its factors as the weight, as the forward pass reads it.
    var folded: NormWeights {
        guard kind.addsOne else { return self }
        return NormWeights(weight: factors, bias: bias)
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
    /// The norm of query heads, with one factor per channel of a head; nil if heads are not
    /// normalised.
    public var queryNorm: NormWeights?
    /// The norm of key heads, with one factor per channel of a head; nil if heads are not
    /// normalised.
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
    /// Shape `[feedForward, hidden]`; nil if the block has no gate.
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

/// The weights of one layer.
///
/// A branch that is nil adds nothing to the residual stream.
public struct LayerWeights: Sendable, Equatable {
    /// The attention block; nil if it is removed.
    public var attention: AttentionWeights?
    /// The norm of the input of the attention block, or of the sum after it; nil if there is none.
    public var attentionNorm: NormWeights?
    /// The norm of the output of the attention block; nil if there is none.
    public var attentionOutputNorm: NormWeights?
    /// The feed-forward block; nil if it is removed.
    public var feedForward: FeedForwardWeights?
    /// The norm of the input of the feed-forward block, or of the sum after it; nil if there is
    /// none.
    public var feedForwardNorm: NormWeights?
    /// The norm of the output of the feed-forward block; nil if there is none.
    public var feedForwardOutputNorm: NormWeights?

    /// Creates a layer.
    public init(
        attention: AttentionWeights?, attentionNorm: NormWeights?,
        attentionOutputNorm: NormWeights? = nil, feedForward: FeedForwardWeights?,
        feedForwardNorm: NormWeights?, feedForwardOutputNorm: NormWeights? = nil
    ) {
        self.attention = attention
        self.attentionNorm = attentionNorm
        self.attentionOutputNorm = attentionOutputNorm
        self.feedForward = feedForward
        self.feedForwardNorm = feedForwardNorm
        self.feedForwardOutputNorm = feedForwardOutputNorm
    }

    /// The last projection of a component, whose input columns belong to the component's units.
    public func outputProjection(of kind: ComponentKind) -> Projection? {
        switch kind {
        case .attention: attention?.output
        case .feedForward: feedForward?.down
        }
    }
}

/// The weights that compute the first hidden states from token ids, and those that all layers share.
public struct EmbeddingWeights: Sendable, Equatable {
    /// Shape `[vocabulary, hidden]`.
    public var tokens: Matrix<Float>
    /// Shape `[reserved rows + positions, hidden]`; nil with rotary positions.
    ///
    /// Only some families, such as RoBERTa, have reserved rows.
    public var positions: Matrix<Float>?
    /// Shape `[types, hidden]`; nil without token types.
    public var types: Matrix<Float>?
    /// The norm of the embeddings; nil if they are not normalised.
    public var norm: NormWeights?
    /// The table of terms of attention scores, which all layers share: one row for each bucket of
    /// distances and one column for each head before pruning.
    ///
    /// It is nil without ``PositionBiases/buckets(heads:)``.
    public var biases: Matrix<Float>?

    /// Creates embeddings.
    public init(
        tokens: Matrix<Float>, positions: Matrix<Float>? = nil, types: Matrix<Float>? = nil,
        norm: NormWeights? = nil, biases: Matrix<Float>? = nil
    ) {
        self.tokens = tokens
        self.positions = positions
        self.types = types
        self.norm = norm
        self.biases = biases
    }
}

/// The final norm and the output head.
public struct HeadWeights: Sendable, Equatable {
    /// The final norm; nil in post-norm models, whose last layer ends in a norm.
    public var norm: NormWeights?
    /// The output head, `[vocabulary, hidden]`; nil if it is the token embedding or there is none.
    public var output: Matrix<Float>?

    /// Creates a head.
    public init(norm: NormWeights?, output: Matrix<Float>?) {
        self.norm = norm
        self.output = output
    }
}

/// A source of weights.
///
/// Weights are read one layer at a time, so that the complete model need not be in memory.
public protocol WeightSource: Sendable {
    /// The sizes of the model.
    var shape: ModelShape { get }
    /// The pooling of an encoder; the mean by default.
    var pooling: Pooling { get }
    /// Reads the embeddings.
    func embeddings() throws -> EmbeddingWeights
    /// Reads the weights of a layer, by its index from the input.
    func layer(_ index: Int) throws -> LayerWeights
    /// Weights with the same sizes as those of a layer, which need not have the same values.
    ///
    /// Sources implement this if it is faster than reading the layer. By default it reads the
    /// layer.
    func outline(_ index: Int) throws -> LayerWeights
    /// Reads the final norm and the output head.
    func head() throws -> HeadWeights
}

extension WeightSource {
    /// The mean, which is the default.
    public var pooling: Pooling { .mean }

    /// Reads the layer.
    public func outline(_ index: Int) throws -> LayerWeights { try layer(index) }
}
