internal import Tensors

/// Searches that ignore losses.
extension SearchProblem {
    /// Chooses the last option for whole groups of components, for the minimum number of groups.
    ///
    /// The last group is then restored as far as the budget allows, its slowest component first.
    ///
    /// - Parameters:
    ///   - groups: The indices of the components of each group, in the order of removal.
    ///   - budget: Seconds, with the base.
    /// - Returns: The choice.
    /// - Throws: ``SearchError/unreachable(target:maximum:)``.
    func removal(of groups: [[Int]], within budget: Double) throws(SearchError) -> [Int] {
        try check(budget)
        var choice = dense
        var last: [Int] = []
        for group in groups where seconds(of: choice) > budget {
            last = group.sorted { options[$0][0].seconds > options[$1][0].seconds }
            for component in group { choice[component] = options[component].count - 1 }
        }
        let everyStep = last.flatMap { component in options[component].map { _ in component } }
        return raising(choice, in: everyStep, within: budget)
    }

    /// Moves random components to their next option until the choice meets the budget.
    ///
    /// - Parameters:
    ///   - budget: Seconds, with the base.
    ///   - seed: Equal seeds give equal choices.
    /// - Returns: The choice.
    /// - Throws: ``SearchError/unreachable(target:maximum:)``.
    func randomChoice(within budget: Double, seed: UInt64) throws(SearchError) -> [Int] {
        try check(budget)
        var generator = SplitMix64(seed: seed)
        var choice = dense
        while seconds(of: choice) > budget {
            let lowerable = choice.indices.filter { choice[$0] + 1 < options[$0].count }
            guard let component = lowerable.randomElement(using: &generator) else { break }
            choice[component] += 1
        }
        let order = (choice.indices.flatMap { Array(repeating: $0, count: choice[$0]) })
            .shuffled(using: &generator)
        return raising(choice, in: order, within: budget)
    }

    /// Uses the rest of a budget: moves components back to their previous option, step by step.
    ///
    /// - Parameters:
    ///   - choice: The initial choice.
    ///   - order: The component of each step.
    ///   - budget: Seconds, with the base. A step that exceeds it is skipped.
    /// - Returns: The choice after the last step.
    func raising(_ choice: [Int], in order: some Sequence<Int>, within budget: Double) -> [Int] {
        var choice = choice
        for component in order where choice[component] > 0 {
            choice[component] -= 1
            if seconds(of: choice) > budget { choice[component] += 1 }
        }
        return choice
    }
}
