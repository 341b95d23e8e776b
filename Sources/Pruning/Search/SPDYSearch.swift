internal import Tensors
public import Transformers

/// ZipLM's search: the best plan for weighted priors by dynamic programming, under weights that
/// make the real loss small.
///
/// Each component has a coefficient c, and for given coefficients the plan that minimises
/// `Σ cₗ · pₗ(level)` within the budget is exact, up to the rounding of times to buckets. Which
/// coefficients are good is found by trial: random ones, then changes of the best.
///
/// Source: Frantar and Alistarh, "SPDY", arXiv 2201.13096; Kurtić, Frantar and Alistarh, "ZipLM",
/// arXiv 2302.04089. Times are rounded up, so that a budget is never exceeded.
public struct SPDYSearch: Sendable {
    /// The plans to choose from.
    public let space: SearchSpace
    /// How many random coefficients are tried first.
    public var starts = 100
    /// How many changes of the best coefficients are tried then.
    public var steps = 1000
    /// How likely a change draws a coefficient anew.
    public var resampling = 0.1

    /// How finely time is divided.
    static let buckets = 10_000

    /// For each component the prior of each of its levels.
    private let priors: [[Double]]

    /// Prepares a search.
    ///
    /// - Parameters:
    ///   - space: The plans to choose from.
    ///   - prior: The relative squared error of a component at a level.
    public init(_ space: SearchSpace, prior: (_ component: Component, _ level: Int) -> Double) {
        self.space = space
        priors = zip(space.components, space.levels).map { component, levels in
            levels.map { prior(component, $0) }
        }
    }

    /// The plan of least `Σ cₗ · pₗ` within a budget.
    ///
    /// - Parameters:
    ///   - budget: Seconds, those that no plan changes included.
    ///   - coefficients: One for each of the space's components.
    /// - Returns: The plan; it never takes longer than the budget.
    /// - Throws: ``SearchError/unreachable(target:greatest:)``.
    /// - Complexity: O(components · levels · buckets)
    public func plan(
        within budget: Double, weighing coefficients: [Double]
    ) throws(SearchError) -> Plan {
        try space.check(budget)
        let width = (budget - space.base) / Double(Self.buckets)
        let fastest = space.levels.map { $0.count - 1 }
        guard width > 0 else { return space.plan(fastest) }
        let count = Self.buckets + 1
        /// The least cost of the components so far that fits each number of buckets.
        var least = [Double](repeating: 0, count: count)
        var choices: [[UInt16]] = []
        for component in space.components.indices {
            var (next, choice) = (
                [Double](repeating: .infinity, count: count), [UInt16](repeating: 0, count: count)
            )
            for level in space.levels[component].indices {
                let time = Self.buckets(space.seconds[component][level], width)
                guard time < count else { continue }
                let cost = coefficients[component] * priors[component][level]
                for total in time..<count where least[total - time] + cost < next[total] {
                    next[total] = least[total - time] + cost
                    choice[total] = UInt16(level)
                }
            }
            least = next
            choices.append(choice)
        }
        guard least[Self.buckets].isFinite else { return space.plan(fastest) }
        var (levels, left) = (fastest, Self.buckets)
        for component in space.components.indices.reversed() {
            levels[component] = Int(choices[component][left])
            left -= Self.buckets(space.seconds[component][levels[component]], width)
        }
        return space.plan(levels)
    }

    private static func buckets(_ seconds: Double, _ width: Double) -> Int {
        let exact = seconds / width
        return exact < Double(buckets + 1) ? Int(exact.rounded(.up)) : buckets + 1
    }

    /// The coefficients whose plan has the least loss of those tried.
    ///
    /// - Parameters:
    ///   - budget: Seconds, those that no plan changes included.
    ///   - seed: Decides the coefficients.
    ///   - loss: The real loss of a plan's model; asked once for each plan.
    ///   - progress: Called with the number of trials done; may throw to stop.
    /// - Returns: One for each of the space's components.
    /// - Throws: ``SearchError/unreachable(target:greatest:)``, or what `loss` and `progress` throw.
    public func coefficients(
        within budget: Double, seed: UInt64, loss: (Plan) throws -> Double,
        progress: (Int) throws -> Void = { _ in }
    ) throws -> [Double] {
        var random = SplitMix64(seed: seed)
        var known: [Plan: Double] = [:]
        var best = [Double](repeating: 1, count: space.components.count)
        var least = Double.infinity
        for trial in 0..<starts + steps {
            let candidate = best.map {
                trial < starts || Double.random(in: 0..<1, using: &random) < resampling
                    ? Double.random(in: 0...1, using: &random) : $0
            }
            let plan = try plan(within: budget, weighing: candidate)
            let found = try known[plan] ?? loss(plan)
            known[plan] = found
            if found < least { (best, least) = (candidate, found) }
            try progress(trial + 1)
        }
        return best
    }
}
