internal import CHost

/// The stopping rule for timing many models.
struct StoppingRule {
    /// The target width of a confidence interval, as a fraction of a model's time.
    var relativeWidth: Double
    /// The minimum number of rounds, so that every model has an interval.
    var minimumRounds: Int
    /// The maximum number of seconds.
    var timeLimit: Double
}

extension Stopwatch {
    /// Times models in random order, alternately with the dense model, until each interval is
    /// narrow enough.
    ///
    /// - Parameters:
    ///   - models: The models to time.
    ///   - stoppingRule: The stopping rule.
    ///   - seed: Decides the order.
    ///   - progress: Called after every block of samples; may throw an error to stop.
    /// - Returns: The ratios to the dense model, and the models whose interval is still too wide.
    /// - Throws: Errors of timing, and errors of `progress`.
    mutating func time(
        _ models: [Subject], stoppingRule: StoppingRule, seed: UInt64,
        progress: (Profiler.Progress) throws -> Void
    ) throws -> (ratios: RatioAccumulator, unconverged: [Int]) {
        var interleaver = Interleaver(itemsPerBlock: 6, seed: seed)
        var ratios = RatioAccumulator(count: models.count)
        var waiting = Array(models.indices)
        let start = host_monotonic_nanoseconds()
        var elapsed = 0.0
        var rounds = 0
        while !waiting.isEmpty, elapsed < stoppingRule.timeLimit || rounds == 0 {
            for block in interleaver.nextRound(of: waiting) {
                try ratios.time(block) { step in
                    switch step {
                    case .reference: try sample(dense)
                    case .item(let index): try sample(models[index])
                    }
                }
                elapsed = Double(host_monotonic_nanoseconds() - start) * 1e-9
                if rounds > 0, elapsed > stoppingRule.timeLimit { break }
                try progress(
                    Profiler.Progress(
                        converged: models.count - waiting.count, total: models.count,
                        elapsed: elapsed))
            }
            rounds += 1
            if rounds >= stoppingRule.minimumRounds {
                waiting = ratios.unconverged(relativeWidth: stoppingRule.relativeWidth)
            }
        }
        return (ratios, waiting)
    }
}
