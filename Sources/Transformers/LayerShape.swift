/// The sizes of one layer.
///
/// A block of size 0 is removed.
public struct LayerShape: Codable, Hashable, Sendable {
    /// The number of query heads; 0 if the attention block is removed.
    public var queryHeads: Int
    /// The number of key-value heads, which divides `queryHeads`; 0 if the attention block is
    /// removed.
    public var keyValueHeads: Int
    /// The number of neurons of the feed-forward block; 0 if the block is removed.
    public var feedForward: Int
    /// The rotary positions of this layer; nil if they are those of the model.
    public var rotation: Rotation?
    /// The number of keys that a query sees, including the key of its own token; nil if there is no
    /// attention window.
    public var window: Int?
    /// The indices of the query heads before pruning, if the model has ``ModelShape/biases``.
    ///
    /// They ascend. It is nil if they are the first heads, and in models without such biases.
    public var keptHeads: [Int]?

    /// Rotary positions that differ from the model's.
    public enum Rotation: Codable, Hashable, Sendable {
        /// Queries and keys are not rotated.
        case absent
        /// The frequencies have another base, and no scaling.
        case base(Float)
    }

    /// Creates a layer shape.
    public init(
        queryHeads: Int, keyValueHeads: Int, feedForward: Int, rotation: Rotation? = nil,
        window: Int? = nil
    ) {
        self.queryHeads = queryHeads
        self.keyValueHeads = keyValueHeads
        self.feedForward = feedForward
        self.rotation = rotation
        self.window = window
    }

    /// Keeps some of the query heads.
    ///
    /// - Parameter heads: Indices of query heads of this layer, ascending.
    public mutating func keep(heads: [Int]) {
        let original = heads.map { keptHeads?[$0] ?? $0 }
        keptHeads = original == Array(original.indices) ? nil : original
    }

    /// Whether two layers have the same sizes.
    public func hasSizes(of other: LayerShape) -> Bool {
        var same = self
        (same.rotation, same.window) = (other.rotation, other.window)
        same.keptHeads = other.keptHeads
        return same == other
    }
}
