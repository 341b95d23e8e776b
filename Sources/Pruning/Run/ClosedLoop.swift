internal import Foundation
public import Profiling
public import Transformers

/// Searches, measures the finished model, and corrects the budget until the target holds.
public struct ClosedLoop {
    /// What one attempt chose and what it was worth.
    public struct Attempt: Codable, Sendable {
        /// The plan.
        public let plan: Plan
        /// The speedup that the profile predicts for it.
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
    /// Plans that were found too slow before the loop began.
    public var excluded: Set<Plan> = []
    /// Measured speedups up to this fraction above the target are near enough.
    public var tolerance = 0.03
    /// Correction factor: predicted speedup divided by measured speedup, as far as is known.
    public var correction = 1.0
    /// The fraction above the target to aim at, so that measuring again finds the target held.
    public var margin = 0.018

    /// The most that one measurement may change the budget, lest a disturbed one throw it off.
    private static let greatestStep = 1.15

    /// A speedup further than this fraction from its prediction is measured twice.
    private static let distrust = 0.05

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
    ///   - measure: Makes the model of a plan and times it against the dense one.
    ///   - report: Told of every attempt.
    /// - Returns: The attempt of least speedup that surely holds the target, else the fastest; and
    ///   the number of attempts.
    /// - Throws: What `search` and `measure` throw; `SearchError.unreachable` where every plan is
    ///   excluded.
    public func run(
        _ table: LatencyTable, search: (_ budget: Double) throws -> Plan,
        measure: (Plan) throws -> Comparison, report: (Attempt) -> Void
    ) throws -> (best: Attempt, attempts: Int) {
        let dense = table.predict(Plan(keepingAllOf: table.shape))
        let aim = target * (1 + margin)
        // A target within reach stays so though the aim or a correction lies beyond.
        let least = target * table.base.seconds <= dense ? table.base.seconds : 0
        var best: Attempt?
        var correction = Self.step(correction)
        var tried = excluded
        var bias = 1.0
        var made = 0
        var misses = 0
        while made < attempts {
            let found = try next(best == nil, &correction, tried) {
                try search(table.interplay.sum(ofSeconds: max(dense / (aim * $0), least)))
            }
            guard let plan = found else { break }
            // Nothing is gained by a plan that should be faster still than one that holds.
            if let best, holds(best), table.predict(plan) <= table.predict(best.plan) { break }
            tried.insert(plan)
            let predicted = dense / table.predict(plan)
            var comparison = try measure(plan)
            if abs(comparison.speedup * bias / predicted - 1) > Self.distrust {
                comparison = comparison.joined(with: try measure(plan))
            }
            bias = predicted / comparison.speedup
            let attempt = Attempt(plan: plan, predicted: predicted, comparison: comparison)
            made += 1
            report(attempt)
            best = better(best, attempt)
            let measured = attempt.comparison.speedup
            if holds(attempt), measured <= target * (1 + tolerance) { break }
            misses = holds(attempt) ? 0 : misses + 1
            // Miss after miss, as on a plateau of the hardware, the steps lengthen.
            correction *= Self.step(pow(aim / measured, Double(max(misses, 1))))
        }
        guard let best else {
            throw SearchError.unreachable(target: target, greatest: dense / table.base.seconds)
        }
        return (best, made)
    }

    private static func step(_ factor: Double) -> Double {
        min(max(factor, 1 / greatestStep), greatestStep)
    }

    /// The first plan not yet tried as the correction rises; nil where there is none, which only
    /// the first attempt takes for an error.
    private func next(
        _ isFirst: Bool, _ correction: inout Double, _ tried: Set<Plan>,
        search: (Double) throws -> Plan
    ) throws -> Plan? {
        for _ in 0..<100 {
            do {
                let plan = try search(correction)
                if !tried.contains(plan) { return plan }
            } catch SearchError.unreachable(_, let greatest) {
                guard isFirst else { return nil }
                throw SearchError.unreachable(target: target, greatest: greatest)
            }
            correction *= 1.005
        }
        return nil
    }

    /// Whether a measured speedup decides what becomes of an attempt: it surely misses the target, it
    /// is surely beyond what is near enough, or it holds.
    public func isDecided(_ speedup: Double, _ interval: ClosedRange<Double>) -> Bool {
        let (least, most) = (target * (1 + margin / 2), target * (1 + tolerance))
        return interval.upperBound < least || interval.lowerBound > most
            || interval.lowerBound >= least && speedup <= most
    }

    /// Whether an attempt is as fast as requested.
    ///
    /// The wide interval of a disturbed measurement must not drive the search to ever faster plans.
    private func holds(_ attempt: Attempt) -> Bool {
        let comparison = attempt.comparison
        let speedup = comparison.isDisturbed ? comparison.speedup : comparison.interval.lowerBound
        return speedup >= target * (1 + margin / 2)
    }

    private func better(_ known: Attempt?, _ attempt: Attempt) -> Attempt {
        guard let known else { return attempt }
        let (old, new) = (known.comparison.speedup, attempt.comparison.speedup)
        switch (holds(known), holds(attempt)) {
        case (true, true): return new < old ? attempt : known
        case (false, true): return attempt
        case (true, false): return known
        case (false, false): return new > old ? attempt : known
        }
    }
}
