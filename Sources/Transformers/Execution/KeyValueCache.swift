import Tensors

/// The keys and values of earlier tokens in each layer, for sequences of equal length.
public struct KeyValueCache: Sendable {
    /// The number of cached tokens of each sequence; a lower value drops the latest tokens.
    public var count = 0
    /// The maximum number of tokens of each sequence.
    public let capacity: Int
    /// The number of sequences.
    public let sequences: Int

    /// The keys and values of each layer.
    var layers: [AttentionCache]

    /// Creates an empty cache for a model.
    public init(for model: Model, capacity: Int, sequences: Int = 1) {
        self.capacity = capacity
        self.sequences = sequences
        layers = zip(model.shape.layers, model.formats.layers).map {
            AttentionCache(
                heads: model.shape.heads(of: $0), capacity: capacity, sequences: sequences,
                precision: $1.attention)
        }
    }

    /// Returns the number of bytes that a cache has for each token.
    public static func bytesOfToken(_ shape: ModelShape, formats: Formats) -> Int {
        zip(shape.layers, formats.layers).reduce(0) {
            $0 + AttentionCache.bytes(of: shape.heads(of: $1.0), precision: $1.1.attention)
        }
    }

    /// Fills the cache with random keys and values, for timing.
    public mutating func fillRandomly(seed: UInt64) {
        for layer in layers.indices { layers[layer].fillRandomly(seed: seed &+ UInt64(2 * layer)) }
        count = capacity
    }
}
