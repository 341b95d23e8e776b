import Tensors

/// The keys and values of earlier tokens in each layer, for sequences of equal length.
public struct KeyValueCache: Sendable {
    /// The number of cached tokens of each sequence; a lower value drops the latest tokens.
    public var count = 0
    /// The maximum number of tokens of each sequence.
    public let capacity: Int
    /// The number of sequences.
    public let sequences: Int

    /// The keys of each layer, `[sequences · keyValueHeads · capacity, headDimension]`.
    ///
    /// The rows that one head reads are contiguous.
    var keys: [Matrix<Float>]
    var values: [Matrix<Float>]

    /// Creates an empty cache.
    public init(shape: ModelShape, capacity: Int, sequences: Int = 1) {
        self.capacity = capacity
        self.sequences = sequences
        keys = shape.layers.map {
            Matrix(
                rows: sequences * $0.keyValueHeads * capacity, columns: shape.headDimension)
        }
        values = keys
    }

    /// Fills the cache with random keys and values, for timing.
    public mutating func fillRandomly(seed: UInt64) {
        for layer in keys.indices {
            let (rows, columns) = (keys[layer].rows, keys[layer].columns)
            let place = seed &+ UInt64(2 * layer)
            keys[layer] = Matrix(randomRows: rows, columns: columns, seed: place)
            values[layer] = Matrix(randomRows: rows, columns: columns, seed: place &+ 1)
        }
        count = capacity
    }
}
