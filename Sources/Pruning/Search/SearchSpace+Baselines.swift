import Tensors
public import Transformers

/// Ways to meet a budget that know nothing of losses, to compare the search with.
extension SearchSpace {
    /// Keeps the same fraction of every component, the largest that is fast enough.
    ///
    /// A component takes its largest level that is not above the fraction; what that leaves of the
    /// budget lets components, from the first on, keep one level more.
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
            if seconds(choice) <= budget {
                return plan(spendingSlack(choice, of: components.indices, within: budget))
            }
        }
        return plan(levels.map { $0.count - 1 })
    }

    /// Keeps the same share of the residual stream's channels and of every component's units, all
    /// layers alike: the widest stream beside which at least as great a share of the neurons stays.
    ///
    /// - Parameters:
    ///   - budget: Seconds.
    ///   - step: What the channels that are kept are a multiple of.
    ///   - headsThatDivide: How many heads a unit of attention has, where all that stay must divide
    ///     the channels.
    /// - Returns: The plan.
    /// - Throws: ``SearchError/unreachable(target:greatest:)``.
    public func widthPlan(
        within budget: Double, step: Int, headsThatDivide: Int? = nil
    ) throws(SearchError) -> Plan {
        func level(of component: Int, nearest share: Double, size: Int) -> Int? {
            let levels = levels[component]
            func divides(_ index: Int) -> Bool {
                guard let headsThatDivide, components[component].kind == .attention else {
                    return true
                }
                return size % (levels[index] * headsThatDivide) == 0
            }
            func distance(_ index: Int) -> Double {
                abs(Double(levels[index]) - share * Double(levels[0]))
            }
            return levels.indices.filter { levels[$0] > 0 && divides($0) }
                .min { distance($0) < distance($1) }
        }
        let areNeurons = components.map { $0.kind == .feedForward }
        let neuronShares = Set(
            components.indices.filter { areNeurons[$0] }.flatMap { index in
                levels[index].map { Double($0) / Double(levels[index][0]) }
            }
        ).sorted(by: >)
        var least = denseSeconds
        for size in stride(from: hiddenSize / step * step, to: 0, by: -step) {
            let share = Double(size) / Double(hiddenSize)
            // From all neurons down to the share of the channels.
            for wanted in neuronShares.filter({ $0 > share }) + [share] {
                let choice = components.indices.compactMap {
                    level(of: $0, nearest: areNeurons[$0] ? wanted : share, size: size)
                }
                guard choice.count == components.count else { continue }
                let needed = share * seconds(choice)
                least = min(least, needed)
                guard needed <= budget else { continue }
                var plan = plan(choice)
                if size < hiddenSize { plan.hiddenSize = size }
                return plan
            }
        }
        throw .unreachable(target: denseSeconds / budget, greatest: denseSeconds / least)
    }

    /// Drops whole layers, the least important first, as few as are needed.
    ///
    /// Of the last layer dropped, one branch stays if the budget allows, the slower one that fits,
    /// and of the other what the budget allows.
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
        var last: [Int] = []
        for layer in order where seconds(choice) > budget {
            let branches = components.indices.filter { components[$0].layer == layer }
            last = branches.sorted { seconds[$0][0] > seconds[$1][0] }
            for branch in branches { choice[branch] = levels[branch].count - 1 }
        }
        let everyLevel = last.flatMap { branch in levels[branch].map { _ in branch } }
        return plan(spendingSlack(choice, of: everyLevel, within: budget))
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
        let order = (choice.indices.flatMap { Array(repeating: $0, count: choice[$0]) })
            .shuffled(using: &generator)
        return plan(spendingSlack(choice, of: order, within: budget))
    }

    /// Raises components one level at a time, in the order given, where the budget allows.
    private func spendingSlack(
        _ choice: [Int], of order: some Sequence<Int>, within budget: Double
    ) -> [Int] {
        var choice = choice
        for component in order where choice[component] > 0 {
            choice[component] -= 1
            if seconds(choice) > budget { choice[component] += 1 }
        }
        return choice
    }
}
