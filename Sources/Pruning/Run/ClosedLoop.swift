internal import Foundation
public import Profiling
public import Transformers

/// Searches for a plan, measures its model, and corrects the budget, until the target is reached.
public struct ClosedLoop {
    /// The plan of one attempt, and its predicted and measured speedups.
    public struct Attempt: Codable, Sendable {
        /// The plan.
        public let plan: Plan
        /// The speedup that the profile predicts for the plan.
        public let predicted: Double
        /// The speedup that was measured.
        public let comparison: Comparison

        /// Creates an attempt.
        public init(plan: Plan, predicted: Double, comparison: Comparison) {
            self.plan = plan
            self.predicted = predicted
            self.comparison = comparison
        }
    }

    /// The speedup to reach.
    public let target: Double
    /// The maximum number of attempts.
    public var attempts: Int
    /// Plans that are never tried: they were measured before the loop began and were too slow.
    public var excluded: Set<Plan> = []
    /// The loop ends when the measured speedup exceeds the target by at most this fraction.
    public var tolerance = 0.03
    /// Correction factor: predicted speedup divided by measured speedup.
    ///
    /// It is 1 if nothing was measured.
    public var correction = 1.0
    /// The loop aims above the target by this fraction, so that a later measurement also reaches
    /// the target.
    public var margin = 0.018

    /// The maximum factor by which one measurement changes the budget.
    ///
    /// It limits the effect of a disturbed measurement.
    private static let maximumStep = 1.15

    /// A speedup further than this fraction from its prediction is measured twice.
    private static let remeasureAbove = 0.05

    /// Prepares to reach a target.
    public init(target: Double, attempts: Int = 6) {
        self.target = target
        self.attempts = attempts
    }

    /// Runs the loop.
    ///
    /// - Parameters:
    ///   - table: The profile.
    ///   - search: Finds the best plan within a budget of seconds.
    ///   - measure: Makes the model of a plan and times it against the dense model.
    ///   - report: Called with every attempt.
    /// - Returns: The slowest attempt that reaches the target, or the fastest attempt if none
    ///   reaches it; and the number of attempts.
    /// - Throws: Errors of `search` and `measure`; `SearchError.unreachable` if every plan is
    ///   excluded.
    public func run(
        _ table: LatencyTable, search: (_ budget: Double) throws -> Plan,
        measure: (Plan) throws -> Comparison, report: (Attempt) -> Void
    ) throws -> (best: Attempt, attempts: Int) {
        let dense = table.predict(Plan(keepingAllOf: table.shape))
        let aim = target * (1 + margin)
        // The aim or a correction may demand more than any plan can reach. If the target itself is
        // within reach, the fastest plan is then tried.
        let minimum = target * table.minimumSeconds <= dense ? table.minimumSeconds : 0
        var best: Attempt?
        var correction = Self.step(correction)
        var tried = excluded
        var bias = 1.0
        var made = 0
        var misses = 0
        while made < attempts {
            let found = try next(best == nil, &correction, tried) {
                try search(table.interplay.sum(ofSeconds: max(dense / (aim * $0), minimum)))
            }
            guard let plan = found else { break }
            // A plan predicted to be faster than one that reaches the target is not needed.
            if let best, reachesTarget(best), table.predict(plan) <= table.predict(best.plan) {
                break
            }
            tried.insert(plan)
            let predicted = dense / table.predict(plan)
            var comparison = try measure(plan)
            if abs(comparison.speedup * bias / predicted - 1) > Self.remeasureAbove {
                comparison = comparison.joined(with: try measure(plan))
            }
            bias = predicted / comparison.speedup
            let attempt = Attempt(plan: plan, predicted: predicted, comparison: comparison)
            made += 1
            report(attempt)
            best = better(best, attempt)
            let measured = attempt.comparison.speedup
            if reachesTarget(attempt), measured <= target * (1 + tolerance) { break }
            misses = reachesTarget(attempt) ? 0 : misses + 1
            // The step grows with each further miss, to leave plateaus of the latency.
            correction *= Self.step(pow(aim / measured, Double(max(misses, 1))))
        }
        guard let best else {
            throw SearchError.unreachable(target: target, maximum: dense / table.minimumSeconds)
        }
        return (best, made)
    }

    private static func step(_ factor: Double) -> Double {
        min(max(factor, 1 / maximumStep), maximumStep)
    }

    /// Raises the correction until the search finds a plan that was not tried yet.
    ///
    /// - Returns: The plan; nil if there is none.
    /// - Throws: `SearchError.unreachable` if the first attempt finds no plan within its budget.
    private func next(
        _ isFirst: Bool, _ correction: inout Double, _ tried: Set<Plan>,
        search: (Double) throws -> Plan
    ) throws -> Plan? {
        for _ in 0..<100 {
            do {
                let plan = try search(correction)
                if !tried.contains(plan) { return plan }
            } catch SearchError.unreachable(_, let maximum) {
                guard isFirst else { return nil }
                throw SearchError.unreachable(target: target, maximum: maximum)
            }
            correction *= 1.005
        }
        return nil
    }

    /// Whether a speedup is known well enough to end its measurement.
    ///
    /// It is decided if the interval lies below the target or above the tolerance, or if its lower
    /// end reaches the target and the speedup is within the tolerance.
    public func isDecided(_ speedup: Double, _ interval: ClosedRange<Double>) -> Bool {
        let (lowest, highest) = (target * (1 + margin / 2), target * (1 + tolerance))
        return interval.upperBound < lowest || interval.lowerBound > highest
            || interval.lowerBound >= lowest && speedup <= highest
    }

    /// Whether an attempt reaches the target.
    ///
    /// The lower end of the interval decides. For a disturbed measurement, the speedup itself
    /// decides, because the wide interval would drive the search to ever faster plans.
    private func reachesTarget(_ attempt: Attempt) -> Bool {
        let comparison = attempt.comparison
        let speedup = comparison.isDisturbed ? comparison.speedup : comparison.interval.lowerBound
        return speedup >= target * (1 + margin / 2)
    }

    private func better(_ known: Attempt?, _ attempt: Attempt) -> Attempt {
        guard let known else { return attempt }
        let (old, new) = (known.comparison.speedup, attempt.comparison.speedup)
        switch (reachesTarget(known), reachesTarget(attempt)) {
        case (true, true): return new < old ? attempt : known
        case (false, true): return attempt
        case (true, false): return known
        case (false, false): return new > old ? attempt : known
        }
    }
}
