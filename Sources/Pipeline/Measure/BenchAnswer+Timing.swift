internal import CHost
internal import Profiling

extension BenchAnswer {
    /// Times one model until its median is known to half a percent.
    ///
    /// Samples during which the thread lost its CPU count only where there are hardly others.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - watch: What times it.
    ///   - timeLimit: The most seconds to measure for.
    ///   - tick: Called after each sample; may throw to stop.
    /// - Throws: What timing and `tick` throw.
    mutating func time<Watch: Stopwatch>(
        _ model: Watch.Subject, with watch: inout Watch, timeLimit: Double,
        tick: () throws -> Void
    ) throws {
        var samples = CleanFirst()
        var count = 0
        let end = host_monotonic_nanoseconds() + UInt64(timeLimit * 1e9)
        repeat {
            let sample = try watch.sample(model)
            samples.add(sample.seconds, isTainted: sample.isTainted)
            count += 1
            try tick()
            if count >= 30, count % 10 == 0,
                Statistics(samples.values).isSettled(relativeWidth: 0.005)
            {
                break
            }
        } while host_monotonic_nanoseconds() < end
        guard let timing = Timing(Statistics(samples.values)) else {
            throw ProfileError(
                file: "measurement", field: "samples", problem: "the clock gave no time",
                remedy: "measure again")
        }
        self.model = ModelTime(timing)
        isDisturbed = samples.areDisturbed
    }
}
