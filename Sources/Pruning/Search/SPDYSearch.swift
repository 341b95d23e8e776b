internal import Tensors

/// ZipLM's search: dynamic programming finds the best choice for weighted priors, and trials find
/// weights with a small real loss.
///
/// Each component has a coefficient c. For given coefficients, the choice that minimises
/// `Σ cₗ · pₗ(option)` within the budget is exact, up to the rounding of times to buckets. Good
/// coefficients are found by trial: random ones are tried first, then changes of the best ones.
///
/// Source: Frantar and Alistarh, "SPDY", arXiv 2201.13096; Kurtić, Frantar and Alistarh, "ZipLM",
/// arXiv 2302.04089. Times are rounded up, so that a budget is never exceeded.
public struct SPDYSearch: Sendable {
    /// The problem to solve; its losses are the priors.
    ///
    /// Pairs of components are ignored.
    private let problem: SearchProblem
    /// The number of random coefficient vectors tried first.
    public var starts = 100
    /// The number of changes of the best coefficients tried after that.
    public var steps = 1000
    /// The probability that a change draws a coefficient anew.
    public var resampling = 0.1

    /// The number of buckets that the budget is divided into.
    static let buckets = 10_000

    /// Prepares a search.
    ///
    /// - Parameter problem: The problem, whose losses are the relative squared errors of
    ///   components.
    public init(_ problem: SearchProblem) {
        self.problem = problem
    }

    /// Returns the choice with the minimum of `Σ cₗ · pₗ` within a budget.
    ///
    /// - Parameters:
    ///   - budget: Seconds, with the base.
    ///   - coefficients: One coefficient for each component.
    /// - Returns: The index of one option for each component; their seconds never exceed the
    ///   budget.
    /// - Throws: ``SearchError/unreachable(target:maximum:)``.
    /// - Complexity: O(components · options · buckets)
    public func choice(
        within budget: Double, weighing coefficients: [Double]
    ) throws(SearchError) -> [Int] {
        try problem.check(budget)
        let width = (budget - problem.base) / Double(Self.buckets)
        guard width > 0 else { return problem.fastest }
        let count = Self.buckets + 1
        /// The minimum cost of the components so far, for each number of buckets.
        var lowest = [Double](repeating: 0, count: count)
        /// The option of each component that leads to this minimum.
        var choices: [[UInt16]] = []
        for (component, options) in problem.options.enumerated() {
            var (next, choice) = (
                [Double](repeating: .infinity, count: count), [UInt16](repeating: 0, count: count)
            )
            for (index, option) in options.enumerated() {
                let time = Self.buckets(option.seconds, width)
                guard time < count else { continue }
                let cost = coefficients[component] * option.loss
                for total in time..<count where lowest[total - time] + cost < next[total] {
                    next[total] = lowest[total - time] + cost
                    choice[total] = UInt16(index)
                }
            }
            lowest = next
            choices.append(choice)
        }
        guard lowest[Self.buckets].isFinite else { return problem.fastest }
        var (result, left) = (problem.fastest, Self.buckets)
        for (component, options) in problem.options.enumerated().reversed() {
            result[component] = Int(choices[component][left])
            left -= Self.buckets(options[result[component]].seconds, width)
        }
        return result
    }

    private static func buckets(_ seconds: Double, _ width: Double) -> Int {
        let exact = seconds / width
        return exact < Double(buckets + 1) ? Int(exact.rounded(.up)) : buckets + 1
    }

    /// Returns the tried coefficients whose choice has the lowest real loss.
    ///
    /// - Parameters:
    ///   - budget: Seconds, with the base.
    ///   - seed: Decides the coefficients.
    ///   - loss: The real loss of the model of a choice; called once for each different choice.
    ///   - progress: Called with the number of finished trials; may throw an error to stop.
    /// - Returns: One coefficient for each component.
    /// - Throws: ``SearchError/unreachable(target:maximum:)``, and the errors of `loss` and
    ///   `progress`.
    public func coefficients(
        within budget: Double, seed: UInt64, loss: (_ choice: [Int]) throws -> Double,
        progress: (Int) throws -> Void = { _ in }
    ) throws -> [Double] {
        var random = SplitMix64(seed: seed)
        var known: [[Int]: Double] = [:]
        var best = [Double](repeating: 1, count: problem.options.count)
        var lowest = Double.infinity
        for trial in 0..<starts + steps {
            let candidate = best.map {
                trial < starts || Double.random(in: 0..<1, using: &random) < resampling
                    ? Double.random(in: 0...1, using: &random) : $0
            }
            let choice = try choice(within: budget, weighing: candidate)
            let found = try known[choice] ?? loss(choice)
            known[choice] = found
            if found < lowest { (best, lowest) = (candidate, found) }
            try progress(trial + 1)
        }
        return best
    }
}
