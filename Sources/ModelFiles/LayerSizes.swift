/// The sizes of one layer as a configuration gives them; 0 where a branch is skipped.
public struct LayerSizes: Sendable, Hashable {
    /// Query heads; 0 where the attention block is skipped.
    public var queryHeads: Int
    /// Key and value heads; 0 where the attention block is skipped.
    public var keyValueHeads: Int
    /// Neurons of the feed-forward block; 0 where the block is skipped.
    public var feedForward: Int

    /// Creates the sizes of a layer.
    public init(queryHeads: Int, keyValueHeads: Int, feedForward: Int) {
        self.queryHeads = queryHeads
        self.keyValueHeads = keyValueHeads
        self.feedForward = feedForward
    }
}
