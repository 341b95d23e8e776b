internal import CHost

/// Two models timed in turn, so that whatever slows the machine slows both.
public struct Comparison: Codable, Sendable {
    /// The seconds of the model.
    public let model: Timing
    /// The seconds of the model it is compared with.
    public let dense: Timing
    /// How many times faster the model is: the median of the pairs' ratios.
    public let speedup: Double
    /// The 95 % confidence interval of that median.
    public let interval: ClosedRange<Double>
    /// Whether other programs took processor time from nearly every sample.
    public let isDisturbed: Bool

    /// Puts a comparison together from its figures.
    init(
        model: Timing, dense: Timing, speedup: Double, interval: ClosedRange<Double>,
        isDisturbed: Bool = false
    ) {
        self.model = model
        self.dense = dense
        self.speedup = speedup
        self.interval = interval
        self.isDisturbed = isDisturbed
    }

    /// Times two models in alternating order until the speedup is known well enough.
    ///
    /// - Parameters:
    ///   - model: The model in question.
    ///   - watch: What times it, and has the model it is compared with.
    ///   - relativeWidth: The width of the interval to stop at, as a fraction of the speedup.
    ///   - timeLimit: The most seconds to measure for.
    ///   - isEnough: Told of the speedup so far and its interval once a quarter of the time limit has
    ///     passed; whether no more need be known.
    ///   - tick: Called after each pair with the seconds passed; may throw to stop.
    /// - Throws: What timing and `tick` throw.
    public init<Watch: Stopwatch>(
        _ model: Watch.Subject, with watch: inout Watch, relativeWidth: Double = 0.005,
        timeLimit: Double = 30,
        isEnough: (_ speedup: Double, _ interval: ClosedRange<Double>) -> Bool = { _, _ in false },
        tick: (Double) throws -> Void = { _ in }
    ) throws {
        for _ in 0..<3 { _ = try watch.sample(model) }
        var pairs = PairedRatios()
        var (fast, slow) = (CleanFirst(), CleanFirst())
        let start = host_monotonic_nanoseconds()
        var elapsed = 0.0
        var round = 0
        while elapsed < timeLimit || round < 4 {
            let first = round % 2 == 0
            let before = try watch.sample(first ? model : watch.dense)
            let after = try watch.sample(first ? watch.dense : model)
            let (candidate, reference) = first ? (before, after) : (after, before)
            pairs.add(reference: candidate, candidate: reference)
            fast.add(candidate.seconds, isTainted: candidate.isTainted)
            slow.add(reference.seconds, isTainted: reference.isTainted)
            round += 1
            elapsed = Double(host_monotonic_nanoseconds() - start) * 1e-9
            try tick(elapsed)
            guard round >= 30, round % 10 == 0 else { continue }
            let ratios = pairs.statistics
            if ratios.isSettled(relativeWidth: relativeWidth) { break }
            if elapsed >= timeLimit / 4, let interval = ratios.medianInterval(),
                isEnough(ratios.median, interval)
            {
                break
            }
        }
        let ratios = pairs.statistics
        guard let fast = Timing(Statistics(fast.values)),
            let slow = Timing(Statistics(slow.values)),
            let least = ratios.sorted.first, let greatest = ratios.sorted.last
        else {
            throw ProfileError(
                file: "measurement", field: "samples", problem: "the clock stood still",
                remedy: "measure again")
        }
        self.model = fast
        self.dense = slow
        speedup = ratios.median
        isDisturbed = pairs.areDisturbed
        interval = ratios.medianInterval() ?? least...greatest
    }
}
