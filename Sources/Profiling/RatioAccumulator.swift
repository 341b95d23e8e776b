/// Collects the timings of many items, each relative to the reference of its own block.
public struct RatioAccumulator: Sendable {
    private var items: [PairedRatios]
    private var references = CleanFirst()

    /// Creates an accumulator for items `0..<count`.
    public init(count: Int) {
        items = [PairedRatios](repeating: PairedRatios(), count: count)
    }

    /// Times the steps of one block, in order, and stores their ratios.
    ///
    /// - Parameters:
    ///   - block: Steps from an ``Interleaver``, among them the reference once.
    ///   - measure: Does one step and returns how long it took.
    /// - Throws: What `measure` throws; the samples of the block are then discarded.
    public mutating func time<Failure: Error>(
        _ block: [MeasurementStep], with measure: (MeasurementStep) throws(Failure) -> Sample
    ) throws(Failure) {
        var reference: Sample?
        var candidates: [(item: Int, sample: Sample)] = []
        for step in block {
            let sample = try measure(step)
            switch step {
            case .reference: reference = sample
            case .item(let index): candidates.append((index, sample))
            }
        }
        guard let reference else { return }
        if reference.isUsable {
            references.add(reference.seconds, isTainted: reference.isTainted)
        }
        for (item, sample) in candidates where items.indices.contains(item) {
            items[item].add(reference: reference, candidate: sample)
        }
    }

    /// The ratios of one item to the reference.
    public func ratios(of item: Int) -> PairedRatios { items[item] }

    /// The seconds of the reference over all blocks.
    public var reference: Statistics { Statistics(references.values) }

    /// The items whose ratio is not yet known to the relative width.
    public func unsettled(relativeWidth: Double, confidence: Double = 0.95) -> [Int] {
        items.indices.filter {
            !items[$0].statistics.isSettled(relativeWidth: relativeWidth, confidence: confidence)
        }
    }

    /// The seconds of one item on a machine where the reference takes its median time.
    ///
    /// - Parameter item: The item's index.
    /// - Returns: The timing, or nil while the item has no sample.
    public func timing(of item: Int) -> Timing? {
        Timing(items[item].statistics, scale: reference.median)
    }

    /// The seconds of the reference, or nil while it has no sample.
    public var referenceTiming: Timing? { Timing(reference) }
}
