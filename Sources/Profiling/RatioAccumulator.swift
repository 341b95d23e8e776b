/// Collects the timings of many items, each relative to the reference of its own block.
public struct RatioAccumulator: Sendable {
    private var items: [PairedRatios]
    private var references = DisturbanceFilter()

    /// Creates an accumulator for items `0..<count`.
    public init(count: Int) {
        items = [PairedRatios](repeating: PairedRatios(), count: count)
    }

    /// Times the steps of one block, in order, and stores their ratios.
    ///
    /// - Parameters:
    ///   - block: Steps from an ``Interleaver``, which contain the reference once.
    ///   - measure: Times one step and returns its sample.
    /// - Throws: The errors of `measure`. The samples of the block are then discarded.
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
            references.add(reference.seconds, isDisturbed: reference.isDisturbed)
        }
        for (item, sample) in candidates where items.indices.contains(item) {
            items[item].add(reference: reference, candidate: sample)
        }
    }

    /// The ratios of one item to the reference.
    public func ratios(of item: Int) -> PairedRatios { items[item] }

    /// The seconds of the reference over all blocks.
    public var reference: Statistics { Statistics(references.values) }

    /// The items whose confidence interval is wider than the given relative width.
    public func unconverged(relativeWidth: Double, confidence: Double = 0.95) -> [Int] {
        items.indices.filter {
            !items[$0].statistics.isConverged(relativeWidth: relativeWidth, confidence: confidence)
        }
    }

    /// The seconds of one item, scaled so that the reference has its median time.
    ///
    /// - Parameter item: The item's index.
    /// - Returns: The timing; nil if the item has no sample.
    public func timing(of item: Int) -> Timing? {
        Timing(items[item].statistics, scale: reference.median)
    }

    /// The seconds of the reference; nil if it has no sample.
    public var referenceTiming: Timing? { Timing(reference) }
}
