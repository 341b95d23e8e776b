internal import CHost
internal import Profiling

extension BenchAnswer {
    /// Times one model until the relative width of its median's confidence interval is at most 0.5
    /// %.
    ///
    /// Samples during which the thread lost its CPU are used only if there are too few others.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - watch: The stopwatch.
    ///   - timeLimit: The maximum time to measure, in seconds.
    ///   - tick: Called after each sample; it may throw to stop.
    /// - Throws: The errors of timing and of `tick`.
    mutating func time<Watch: Stopwatch>(
        _ model: Watch.Subject, with watch: inout Watch, timeLimit: Double,
        tick: () throws -> Void
    ) throws {
        var samples = DisturbanceFilter()
        var count = 0
        let end = host_monotonic_nanoseconds() + UInt64(timeLimit * 1e9)
        repeat {
            let sample = try watch.sample(model)
            samples.add(sample.seconds, isDisturbed: sample.isDisturbed)
            count += 1
            try tick()
            if count >= 30, count % 10 == 0,
                Statistics(samples.values).isConverged(relativeWidth: 0.005)
            {
                break
            }
        } while host_monotonic_nanoseconds() < end
        guard let timing = Timing(Statistics(samples.values)) else {
            throw ProfileError(
                file: "measurement", field: "samples", problem: "no time could be measured",
                remedy: "measure again")
        }
        self.model = ModelTime(timing)
        isDisturbed = samples.areDisturbed
    }
}
