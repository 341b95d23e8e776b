internal import Tensors

/// The next model to time.
public enum MeasurementStep: Hashable, Sendable {
    /// The dense model, which all other models are compared with.
    case reference
    /// One of the other models, by its index.
    case item(Int)
}

/// The order in which a profiler times models.
///
/// With it, a drift of the machine's speed affects all models equally.
///
/// A round times every item once, in random order. It is divided into blocks. A block is so short
/// that the machine's speed is nearly constant within it. Each block times the reference once, at a
/// random place.
public struct Interleaver: Sendable {
    private let itemsPerBlock: Int
    private var random: SplitMix64

    /// Creates an interleaver; equal seeds give equal orders.
    ///
    /// - Parameters:
    ///   - itemsPerBlock: The number of items that share one timing of the reference, at least 1.
    ///   - seed: The seed of the random orders.
    public init(itemsPerBlock: Int = 8, seed: UInt64) {
        self.itemsPerBlock = max(1, itemsPerBlock)
        random = SplitMix64(seed: seed)
    }

    /// The blocks of the next round.
    ///
    /// - Parameter items: The items that still need timing.
    /// - Returns: The steps of each block, in order; empty if there are no items.
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
