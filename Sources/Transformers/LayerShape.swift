/// The sizes of one layer; any of them may be 0, which removes that branch.
public struct LayerShape: Codable, Hashable, Sendable {
    /// Query heads; 0 when the attention block is gone.
    public var queryHeads: Int
    /// Key and value heads; divides `queryHeads`, and 0 when the attention block is gone.
    public var keyValueHeads: Int
    /// Neurons of the feed-forward block; 0 when the block is gone.
    public var feedForward: Int

    /// Creates a layer shape.
    public init(queryHeads: Int, keyValueHeads: Int, feedForward: Int) {
        self.queryHeads = queryHeads
        self.keyValueHeads = keyValueHeads
        self.feedForward = feedForward
    }
}
