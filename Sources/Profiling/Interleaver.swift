internal import Tensors

/// What to time next.
public enum MeasurementStep: Hashable, Sendable {
    /// The dense model, to which all else is related.
    case reference
    /// One of the things to be timed, by its index.
    case item(Int)
}

/// The order in which a profiler times many things, so that drift hits all of them alike.
///
/// A round times every item once, in random order. It is cut into blocks short enough for the
/// machine's speed to be nearly constant within one; each block times the reference once, at a
/// random place.
public struct Interleaver: Sendable {
    private let itemsPerBlock: Int
    private var random: SplitMix64

    /// Creates an interleaver; equal seeds give equal orders.
    ///
    /// - Parameters:
    ///   - itemsPerBlock: Items that share one timing of the reference, at least 1.
    ///   - seed: The seed of all orders.
    public init(itemsPerBlock: Int = 8, seed: UInt64) {
        self.itemsPerBlock = max(1, itemsPerBlock)
        random = SplitMix64(seed: seed)
    }

    /// The blocks of the next round.
    ///
    /// - Parameter items: What still needs timing; leave out what is settled.
    /// - Returns: The steps of each block, in order; nothing when there are no items.
    public mutating func nextRound(of items: some Sequence<Int>) -> [[MeasurementStep]] {
        let order = items.shuffled(using: &random)
        return stride(from: 0, to: order.count, by: itemsPerBlock).map { start in
            let end = min(start + itemsPerBlock, order.count)
            var block = order[start..<end].map(MeasurementStep.item)
            block.insert(.reference, at: Int.random(in: 0...block.count, using: &random))
            return block
        }
    }
}
