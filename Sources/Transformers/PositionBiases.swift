internal import Foundation
public import Tensors

/// The terms that a model adds to attention scores, which depend on the distance from the query to
/// the key.
///
/// The terms of a head do not change when other heads of its layer are removed.
public enum PositionBiases: Codable, Hashable, Sendable {
    /// Each head has a slope, which is multiplied with the distance.
    ///
    /// The slopes depend on the number of heads of a layer before pruning. Source: Press et al.,
    /// "ALiBi", arXiv 2108.12409.
    case slopes(heads: Int)
    /// Distances are in buckets, and a table that all layers share has a term for each bucket and
    /// head.
    ///
    /// The table has a column for each head of a layer before pruning. Source: Raffel et al., "T5",
    /// arXiv 1910.10683.
    case buckets(heads: Int)

    /// The number of heads of a layer before pruning.
    public var heads: Int {
        switch self {
        case .slopes(let heads), .buckets(let heads): heads
        }
    }

    /// The number of rows of the table of terms; nil if there is no table.
    public var tableRows: Int? {
        if case .buckets = self { Self.bucketCount } else { nil }
    }

    /// The number of buckets: one half for keys at or before the query, the other half for later
    /// keys.
    private static let bucketCount = 32
    /// The distance from which on all distances are in one bucket.
    private static let farthest: Float = 128

    /// The slopes of a number of heads, as in `build_alibi_tensor` of transformers.
    ///
    /// For a power of two they are `2^(-8i/heads)` with i from 1. For another number, those of the
    /// next lower power of two come first. Every other slope of the next higher power follows.
    ///
    /// - Parameter heads: The number of heads, at least 1.
    /// - Returns: One slope for each head.
    public static func slopes(ofHeads heads: Int) -> [Float] {
        var power = 1
        while 2 * power <= heads { power *= 2 }
        func slopes(_ count: Int) -> [Float] {
            let base = Float(pow(2, -8 / Double(count)))
            return (1...count).map { powf(base, Float($0)) }
        }
        let more = slopes(2 * power).enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
        return slopes(power) + more.prefix(heads - power)
    }

    /// The bucket of a distance.
    ///
    /// Each of the first distances has a bucket of its own. Beyond these the sizes of buckets grow
    /// exponentially up to the distance 128.
    ///
    /// - Parameter distance: The position of the key minus that of the query.
    /// - Returns: A row of the table of terms.
    public static func bucket(of distance: Int) -> Int {
        let half = bucketCount / 2
        let (first, exact) = (distance > 0 ? half : 0, half / 2)
        let size = abs(distance)
        guard size >= exact else { return first + size }
        let share = logf(Float(size) / Float(exact)) / Float(log(Double(farthest) / Double(exact)))
        return first + min(half - 1, exact + Int(share * Float(half - exact)))
    }
}

extension ScoreBiases {
    /// Computes the terms of a model's attention scores; nil if nothing is added to scores.
    ///
    /// - Parameters:
    ///   - shape: The sizes of the model.
    ///   - table: The table of terms, `[tableRows, heads]`, if the model has one.
    public init?(_ shape: ModelShape, table: Matrix<Float>?) {
        guard let biases = shape.biases else { return nil }
        let farthest = max(shape.maximumPositions, 1) - 1
        let distances = -farthest...(shape.architecture.isCausal ? 0 : farthest)
        switch biases {
        case .slopes(let heads):
            let slopes = PositionBiases.slopes(ofHeads: heads)
            self.init(heads: heads, distances: distances) { slopes[$0] * Float($1) }
        case .buckets(let heads):
            guard let table else { preconditionFailure("buckets have a table of terms") }
            self.init(heads: heads, distances: distances) {
                table[PositionBiases.bucket(of: $1), $0]
            }
        }
    }
}
