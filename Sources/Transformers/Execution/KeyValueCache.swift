import Tensors

/// The keys and values of one sequence's earlier tokens, for every layer.
public struct KeyValueCache: Sendable {
    /// Tokens held; set it lower to forget the latest ones.
    public var count = 0
    /// Tokens that fit.
    public let capacity: Int

    /// Shape `[capacity, keyValueHeads · headDimension]` for each layer.
    var keys: [Matrix<Float>]
    var values: [Matrix<Float>]

    /// Creates an empty cache for a number of tokens.
    public init(shape: ModelShape, capacity: Int) {
        self.capacity = capacity
        keys = shape.layers.map {
            Matrix(rows: capacity, columns: $0.keyValueHeads * shape.headDimension)
        }
        values = keys
    }

    /// Fills the first `count` places with random keys and values, for timing.
    public mutating func fill(count: Int, seed: UInt64) {
        for layer in keys.indices {
            let width = keys[layer].columns
            keys[layer] = Matrix(
                randomRows: capacity, columns: width, seed: seed &+ UInt64(2 * layer))
            values[layer] = Matrix(
                randomRows: capacity, columns: width, seed: seed &+ UInt64(2 * layer + 1))
        }
        self.count = count
    }
}
