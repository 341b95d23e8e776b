import Tensors
public import Transformers

/// Ways to meet a budget that know nothing of losses, to compare the search with.
extension SearchSpace {
    /// Keeps the same fraction of every component, the largest that is fast enough.
    ///
    /// A component takes its largest level that is not above the fraction.
    ///
    /// - Parameter budget: Seconds.
    /// - Returns: The plan.
    /// - Throws: ``SearchError/unreachable(target:greatest:)``.
    public func uniformPlan(within budget: Double) throws(SearchError) -> Plan {
        try check(budget)
        func fraction(_ component: Int, _ level: Int) -> Double {
            Double(levels[component][level]) / Double(levels[component][0])
        }
        let fractions = Set(
            components.indices.flatMap { component in
                levels[component].indices.map { fraction(component, $0) }
            })
        for wanted in fractions.sorted(by: >) {
            let choice = components.indices.map { component in
                levels[component].indices.first { fraction(component, $0) <= wanted }
                    ?? levels[component].count - 1
            }
            if seconds(choice) <= budget { return plan(choice) }
        }
        return plan(levels.map { $0.count - 1 })
    }

    /// Drops whole layers, the least important first, as few as are needed.
    ///
    /// Of the last layer dropped, one branch stays if the budget allows: the slower one that fits.
    ///
    /// - Parameters:
    ///   - budget: Seconds.
    ///   - importance: A score of each layer, such as its block influence; the most important
    ///     where there is none.
    /// - Returns: The plan.
    /// - Throws: ``SearchError/unreachable(target:greatest:)``.
    public func depthPlan(
        within budget: Double, importance: [Double]
    ) throws(SearchError) -> Plan {
        try check(budget)
        var choice = [Int](repeating: 0, count: components.count)
        let scores = dense.attention.indices.map {
            importance.indices.contains($0) ? importance[$0] : .infinity
        }
        let order = scores.indices.sorted { (scores[$0], $0) < (scores[$1], $1) }
        for layer in order where seconds(choice) > budget {
            let branches = components.indices.filter { components[$0].layer == layer }
            for branch in branches { choice[branch] = levels[branch].count - 1 }
            for branch in branches.sorted(by: { seconds[$0][0] > seconds[$1][0] }) {
                var kept = choice
                kept[branch] = 0
                if seconds(kept) <= budget {
                    choice = kept
                    break
                }
            }
        }
        return plan(choice)
    }

    /// Lowers random components one level at a time until the plan is fast enough.
    ///
    /// - Parameters:
    ///   - budget: Seconds.
    ///   - seed: Equal seeds give equal plans.
    /// - Returns: The plan.
    /// - Throws: ``SearchError/unreachable(target:greatest:)``.
    public func randomPlan(within budget: Double, seed: UInt64) throws(SearchError) -> Plan {
        try check(budget)
        var generator = SplitMix64(seed: seed)
        var choice = [Int](repeating: 0, count: components.count)
        while seconds(choice) > budget {
            let lowerable = choice.indices.filter { choice[$0] + 1 < levels[$0].count }
            guard let component = lowerable.randomElement(using: &generator) else { break }
            choice[component] += 1
        }
        return plan(choice)
    }
}
