import CHost
import Profiling

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
        var samples: [Sample] = []
        let end = host_monotonic_nanoseconds() + UInt64(timeLimit * 1e9)
        repeat {
            samples.append(try watch.sample(model))
            try tick()
            if samples.count >= 30, samples.count % 10 == 0,
                Self.statistics(of: samples).isSettled(relativeWidth: 0.005)
            {
                break
            }
        } while host_monotonic_nanoseconds() < end
        guard let timing = Timing(Self.statistics(of: samples)) else {
            throw ProfileError(
                file: "measurement", field: "samples", problem: "the clock gave no time",
                remedy: "measure again")
        }
        self.model = Figures(timing)
        isDisturbed = Self.areDisturbed(samples)
    }

    private static func statistics(of samples: [Sample]) -> Statistics {
        let counted = areDisturbed(samples) ? samples : samples.filter { !$0.isTainted }
        return Statistics(counted.map(\.seconds))
    }

    private static func areDisturbed(_ samples: [Sample]) -> Bool {
        samples.count { !$0.isTainted } < 6
    }
}
