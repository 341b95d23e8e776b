/// The sizes of one layer.
///
/// A branch of size 0 is removed.
public struct LayerShape: Codable, Hashable, Sendable {
    /// The number of query heads; 0 if the attention block is removed.
    public var queryHeads: Int
    /// The number of key-value heads, which divides `queryHeads`; 0 if the attention block is
    /// removed.
    public var keyValueHeads: Int
    /// The number of neurons of the feed-forward block; 0 if the block is removed.
    public var feedForward: Int

    /// Creates a layer shape.
    public init(queryHeads: Int, keyValueHeads: Int, feedForward: Int) {
        self.queryHeads = queryHeads
        self.keyValueHeads = keyValueHeads
        self.feedForward = feedForward
    }
}
