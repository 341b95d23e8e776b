internal import CHost

/// The result of timing two models alternately, so that a slow machine slows both.
public struct Comparison: Codable, Sendable {
    /// The seconds of the model.
    public let model: Timing
    /// The seconds of the model with which it is compared, usually the dense model.
    public let dense: Timing
    /// The speedup of the model: the median of the ratios of the pairs' times.
    public let speedup: Double
    /// The 95 % confidence interval of the speedup, widened if the measurement was disturbed.
    public let interval: ClosedRange<Double>
    /// Whether other programs disturbed the measurement so much that it may be wrong.
    public let isDisturbed: Bool

    /// Creates a comparison from its figures.
    public init(
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
    ///   - model: The model to time.
    ///   - watch: The stopwatch, which has the model to compare with.
    ///   - relativeWidth: The width of the interval at which the measurement stops, as a fraction
    ///     of the speedup.
    ///   - timeLimit: The maximum number of seconds to measure on a quiet machine.
    ///   - timeFactor: If the measurement is disturbed at `timeLimit`, it continues for at most
    ///     `timeFactor` times `timeLimit` in total. With 1 it does not continue.
    ///   - quietDense: The seconds of the dense model on a quiet machine, if they are known.
    ///   - isEnough: Called after a quarter of the time limit, with the speedup so far and its
    ///     interval. Returns whether the measurement can stop.
    ///   - tick: Called after each pair with the elapsed seconds; may throw an error to stop.
    /// - Throws: Errors of timing and of `tick`; ``ProfileError`` if no pair of samples has usable
    ///   times.
    public init<Watch: Stopwatch>(
        _ model: Watch.Subject, with watch: inout Watch, relativeWidth: Double = 0.005,
        timeLimit: Double = 30, timeFactor: Double = 1, quietDense: Double? = nil,
        isEnough: (_ speedup: Double, _ interval: ClosedRange<Double>) -> Bool = { _, _ in false },
        tick: (Double) throws -> Void = { _ in }
    ) throws {
        for _ in 0..<3 { _ = try watch.sample(model) }
        var pairs = SamplePairs()
        let start = host_monotonic_nanoseconds()
        var elapsed = 0.0
        var round = 0
        while elapsed < timeLimit * timeFactor || round < 4 {
            let first = round % 2 == 0
            let before = try watch.sample(first ? model : watch.dense)
            let after = try watch.sample(first ? watch.dense : model)
            pairs.add(model: first ? before : after, dense: first ? after : before)
            round += 1
            elapsed = Double(host_monotonic_nanoseconds() - start) * 1e-9
            try tick(elapsed)
            let isOver = elapsed >= timeLimit
            guard isOver || round >= 30 && round % 10 == 0,
                let known = pairs.comparison(quietDense: quietDense)
            else { continue }
            let width = known.interval.upperBound - known.interval.lowerBound
            if isOver && !known.isDisturbed || width <= relativeWidth * known.speedup { break }
            if !known.isDisturbed, elapsed >= timeLimit / 4,
                isEnough(known.speedup, known.interval)
            {
                break
            }
        }
        guard let known = pairs.comparison(quietDense: quietDense) else {
            throw ProfileError(
                file: "measurement", field: "samples", problem: "no sample has a positive time",
                remedy: "measure again")
        }
        self = known
    }

    /// Widens the interval if the dense model was more than 2 % slower than on a quiet machine.
    ///
    /// - Parameter seconds: The dense model's seconds on a quiet machine.
    /// - Returns: This comparison if the dense model was not slower. Otherwise a copy that is marked
    ///   as disturbed and has a wider interval.
    public func allowing(forQuietDense seconds: Double) -> Comparison {
        guard let excess = SamplePairs.excess(of: dense, over: seconds) else { return self }
        return Comparison(
            model: model, dense: dense, speedup: speedup,
            interval: interval.lowerBound / excess...interval.upperBound * excess,
            isDisturbed: true)
    }

    /// Combines two measurements of the same two models.
    ///
    /// A disturbed measurement is ignored if the other is undisturbed. Otherwise the lower speedup
    /// is used, with an interval that covers both.
    public func joined(with other: Comparison) -> Comparison {
        guard isDisturbed == other.isDisturbed else { return isDisturbed ? other : self }
        let lower = speedup <= other.speedup ? self : other
        let low = min(interval.lowerBound, other.interval.lowerBound)
        let high = max(interval.upperBound, other.interval.upperBound)
        return Comparison(
            model: lower.model, dense: lower.dense, speedup: lower.speedup, interval: low...high,
            isDisturbed: isDisturbed)
    }
}
