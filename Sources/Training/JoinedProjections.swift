internal import Transformers

/// The first projections of a block as one, so that one product computes all of them.
extension FeedForwardWeights {
    /// The gate above the up projection, or the up projection alone in a block without a gate.
    var joined: Projection {
        gate.map { Projection(stacking: [$0, up]) } ?? up
    }

    /// Takes apart what ``joined`` put together.
    init(joined: Projection, isGated: Bool, down: Projection) {
        let neurons = down.weight.columns
        self.init(
            gate: isGated ? joined.selecting(rows: Array(0..<neurons)) : nil,
            up: isGated ? joined.selecting(rows: Array(neurons..<2 * neurons)) : joined,
            down: down)
    }
}
