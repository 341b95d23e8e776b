import Tensors

/// The keys and values of earlier tokens, for every layer of some equally long sequences.
public struct KeyValueCache: Sendable {
    /// Tokens of each sequence held; set it lower to forget the latest ones.
    public var count = 0
    /// Tokens of each sequence that fit.
    public let capacity: Int
    /// Sequences that advance together.
    public let sequences: Int

    /// Shape `[sequences · keyValueHeads · capacity, headDimension]` for each layer: what one head
    /// reads lies together.
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

    /// Fills every place with random keys and values, for timing.
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
