/// The first projections of a block as one projection, so that one product computes all of them.
extension FeedForwardWeights {
    /// The gate projection stacked on the up projection, or only the up projection without a gate.
    public var joined: Projection {
        gate.map { Projection(stacking: [$0, up]) } ?? up
    }

    /// Creates the weights from a projection that ``joined`` returned.
    public init(joined: Projection, isGated: Bool, down: Projection) {
        let neurons = down.weight.columns
        self.init(
            gate: isGated ? joined.selecting(rows: Array(0..<neurons)) : nil,
            up: isGated ? joined.selecting(rows: Array(neurons..<2 * neurons)) : joined,
            down: down)
    }
}
