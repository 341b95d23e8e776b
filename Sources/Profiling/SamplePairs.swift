/// Alternating timings of two models, and the speedup computed from them.
///
/// Other programs slow the two models differently: lost processor time, shared caches and shared
/// memory bandwidth do not cancel out of a ratio. So only quiet pairs are used, and the interval
/// also covers other estimates from the same pairs.
struct SamplePairs {
    /// One sample of each model, taken one right after the other.
    struct Pair {
        let model: Sample
        let dense: Sample

        var isDisturbed: Bool { model.isDisturbed || dense.isDisturbed }
        var speedup: Double { dense.seconds / model.seconds }
    }

    /// The maximum fraction by which a quiet sample is above the floor of its model's samples.
    private static let tolerance = 0.06
    /// The quantile of a model's undisturbed samples that is its floor.
    private static let floor = 0.1
    /// The maximum factor by which a slow dense model widens the interval.
    private static let maximumExcess = 1.5
    /// The minimum number of pairs for the confidence interval of a median.
    private static let minimumCount = DisturbanceFilter.minimumCount
    /// The number of consecutive parts of the pairs whose medians must lie in the interval.
    private static let segments = 4

    private var pairs: [Pair] = []

    /// Adds a pair; a pair without usable times is left out.
    mutating func add(model: Sample, dense: Sample) {
        guard model.isUsable, dense.isUsable else { return }
        pairs.append(Pair(model: model, dense: dense))
    }

    /// Computes the speedup and its interval; nil without pairs.
    ///
    /// - Parameter quietDense: The dense model's seconds on a quiet machine, if they are known. The
    ///   interval is widened by the factor by which the dense model is slower here.
    /// - Returns: The comparison of the two models by the pairs so far.
    /// - Complexity: O(n log n) for n pairs.
    func comparison(quietDense: Double? = nil) -> Comparison? {
        let undisturbed = pairs.filter { !$0.isDisturbed }
        let isDisturbed = undisturbed.count < Self.minimumCount && undisturbed.count < pairs.count
        let usable = isDisturbed ? pairs : undisturbed
        let quiet = Self.quiet(usable)
        let speedups = Statistics(quiet.map(\.speedup))
        guard let model = Timing(Statistics(quiet.map(\.model.seconds))),
            let dense = Timing(Statistics(quiet.map(\.dense.seconds))),
            let minimum = speedups.sorted.first, let maximum = speedups.sorted.last
        else { return nil }
        let median = speedups.median
        let sampled = speedups.medianInterval() ?? minimum...maximum
        let others = Self.medians(overTimeOf: quiet) + [Self.speedupOfFloors(usable)]
        let all = others.compactMap(\.self) + [median, sampled.lowerBound, sampled.upperBound]
        let comparison = Comparison(
            model: model, dense: dense, speedup: median, interval: all.min()!...all.max()!,
            isDisturbed: isDisturbed)
        return quietDense.map(comparison.allowing(forQuietDense:)) ?? comparison
    }

    /// Returns the factor by which a slow dense model widens the interval; nil if it is not slow.
    ///
    /// The factor is the dense time divided by 1.02 times the time on a quiet machine, but at most
    /// `maximumExcess`. It is nil if this quotient is at most 1.
    static func excess(of dense: Timing, over quietDense: Double) -> Double? {
        let ratio = dense.seconds / (quietDense * 1.02)
        return ratio > 1 ? min(ratio, maximumExcess) : nil
    }

    /// The pairs in which both samples are near the floor of their model; all pairs if these are
    /// too few.
    private static func quiet(_ pairs: [Pair]) -> [Pair] {
        guard pairs.count >= 2 * minimumCount else { return pairs }
        let maximumModel = floor(pairs.map(\.model.seconds)) * (1 + tolerance)
        let maximumDense = floor(pairs.map(\.dense.seconds)) * (1 + tolerance)
        let quiet = pairs.filter {
            $0.model.seconds <= maximumModel && $0.dense.seconds <= maximumDense
        }
        return quiet.count < minimumCount ? pairs : quiet
    }

    private static func floor(_ seconds: [Double]) -> Double {
        Statistics(seconds).quantile(floor)
    }

    /// The speedup from the floors of both models' samples; nil for too few pairs.
    private static func speedupOfFloors(_ pairs: [Pair]) -> Double? {
        guard pairs.count >= segments * minimumCount else { return nil }
        return floor(pairs.map(\.dense.seconds)) / floor(pairs.map(\.model.seconds))
    }

    /// The median speedup of each quarter of the pairs, in order of time.
    ///
    /// They differ if the machine's speed changed during the measurement.
    private static func medians(overTimeOf pairs: [Pair]) -> [Double] {
        let length = pairs.count / segments
        guard length >= minimumCount else { return [] }
        return (0..<segments).map { segment in
            Statistics(pairs[segment * length..<(segment + 1) * length].map(\.speedup)).median
        }
    }
}
