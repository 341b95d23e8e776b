/// Repeatedly takes the step with the lowest loss per second saved, until the budget is met.
///
/// A step moves one component to any faster option, so that it can skip plateaus of the latency. A
/// step may also move both components of a ``SearchProblem/Pair`` to their last options. If the
/// last step saved more time than needed, options are raised again. Then components exchange time
/// in pairs while that lowers the loss. Ties go to the earlier component and the slower option, so
/// a search has one result. An option is never chosen if a faster option has a lower loss, unless it
/// is the dense one.
public struct GreedySearch: Sendable {
    /// The problem to solve, where losses that are not finite are replaced by 1e100.
    private let problem: SearchProblem

    /// For each component whether each option may be chosen.
    private let isUseful: [[Bool]]

    /// The partner of each component in its pair; nil if the component is in no pair.
    private var partners: [Partner?]

    private struct Partner {
        var component: Int
        /// The loss of the pair minus the losses of its two components.
        var excess: Double
    }

    /// Prepares a search.
    public init(_ problem: SearchProblem) {
        let options = problem.options.map { options in
            options.map { option in
                SearchProblem.Option(
                    seconds: option.seconds, loss: option.loss.isFinite ? option.loss : 1e100)
            }
        }
        partners = options.map { _ in nil }
        for pair in problem.pairs where pair.loss.isFinite {
            let losses = [options[pair.first], options[pair.second]].compactMap(\.last?.loss)
            // The loss of both is at least the loss of each.
            let excess = max(pair.loss, losses.max() ?? 0) - losses.reduce(0, +)
            partners[pair.first] = Partner(component: pair.second, excess: excess)
            partners[pair.second] = Partner(component: pair.first, excess: excess)
        }
        self.problem = SearchProblem(base: problem.base, options: options, pairs: problem.pairs)
        isUseful = options.map(Self.useful)
    }

    /// Whether each option may be chosen: the first one, and those with no faster option of a lower
    /// loss.
    private static func useful(_ options: [SearchProblem.Option]) -> [Bool] {
        var lowest = Double.infinity
        var useful = [Bool](repeating: true, count: options.count)
        for index in options.indices.dropFirst().reversed() {
            useful[index] = options[index].loss <= lowest
            lowest = min(lowest, options[index].loss)
        }
        return useful
    }

    /// The loss of a choice: the sum over its components, and the excess of pairs.
    public func loss(of choice: [Int]) -> Double {
        choice.indices.reduce(0) { sum, index in
            var loss = problem.options[index][choice[index]].loss
            if let partner = partners[index], partner.component < index, isLast(choice, index),
                isLast(choice, partner.component)
            {
                loss += partner.excess
            }
            return sum + loss
        }
    }

    private func isLast(_ choice: [Int], _ component: Int) -> Bool {
        choice[component] == problem.options[component].count - 1
    }

    /// The best choice found within a budget.
    ///
    /// - Parameter budget: Seconds, with the base.
    /// - Returns: The index of one option for each component.
    /// - Throws: ``SearchError/unreachable(target:maximum:)``.
    /// - Complexity: O(steps · components · options), and O((components · options)²) for each
    ///   exchange.
    public func choice(within budget: Double) throws(SearchError) -> [Int] {
        try problem.check(budget)
        var choice = problem.dense
        while problem.seconds(of: choice) > budget, let next = cheapestStep(from: choice) {
            choice = next
        }
        repeat { raiseOptions(&choice, within: budget) } while exchange(&choice, within: budget)
        return choice
    }

    /// The seconds and losses of the choices after each step, from the dense one to the fastest.
    ///
    /// The steps are those of removal only, without raising options and exchanges.
    public func path() -> [(seconds: Double, loss: Double)] {
        var choice = problem.dense
        var path: [(seconds: Double, loss: Double)] = []
        func note() { path.append((problem.seconds(of: choice), loss(of: choice))) }
        note()
        while let next = cheapestStep(from: choice) {
            choice = next
            note()
        }
        return path
    }

    /// One component's change to another of its options.
    private struct Move {
        var component: Int
        var option: Int
    }

    /// The loss and the seconds that a move adds.
    private func change(_ choice: [Int], _ component: Int, _ option: Int) -> (
        loss: Double, seconds: Double
    ) {
        let options = problem.options[component]
        let now = choice[component]
        var loss = options[option].loss - options[now].loss
        if let partner = partners[component], isLast(choice, partner.component) {
            let last = options.count - 1
            if option == last, now != last { loss += partner.excess }
            if now == last, option != last { loss -= partner.excess }
        }
        return (loss, options[option].seconds - options[now].seconds)
    }

    /// The choice after the step with the lowest loss for each second saved, of one component or of
    /// a pair; nil if no component has a faster option.
    private func cheapestStep(from choice: [Int]) -> [Int]? {
        var best: [Int]?
        var lowest = Double.infinity
        func consider(_ loss: Double, _ seconds: Double, _ moves: Move...) {
            let ratio = loss / -seconds
            guard best == nil || ratio < lowest else { return }
            (best, lowest) = (taking(moves, from: choice), ratio)
        }
        for component in choice.indices {
            for option in problem.options[component].indices.dropFirst(choice[component] + 1)
            where isUseful[component][option] {
                let change = change(choice, component, option)
                consider(change.loss, change.seconds, Move(component: component, option: option))
            }
            guard let partner = partners[component]?.component, partner > component,
                !isLast(choice, component), !isLast(choice, partner)
            else { continue }
            let first = Move(
                component: component, option: problem.options[component].count - 1)
            let second = Move(component: partner, option: problem.options[partner].count - 1)
            let both = taking([first, second], from: choice)
            consider(
                loss(of: both) - loss(of: choice),
                problem.seconds(of: both) - problem.seconds(of: choice), first, second)
        }
        return best
    }

    private func taking(_ moves: [Move], from choice: [Int]) -> [Int] {
        var choice = choice
        for move in moves { choice[move.component] = move.option }
        return choice
    }

    /// Raises components while the budget is met.
    ///
    /// Each time it chooses the slower option that reduces the loss most per second.
    private func raiseOptions(_ choice: inout [Int], within budget: Double) {
        while true {
            let slack = budget - problem.seconds(of: choice)
            var best: Move?
            var highest = 0.0
            for component in choice.indices {
                for option in 0..<choice[component] where isUseful[component][option] {
                    let change = change(choice, component, option)
                    guard change.seconds <= slack else { continue }
                    let ratio = -change.loss / change.seconds
                    if ratio > highest {
                        best = Move(component: component, option: option)
                        highest = ratio
                    }
                }
            }
            guard let best else { return }
            let raised = taking([best], from: choice)
            guard problem.seconds(of: raised) <= budget else { return }
            choice = raised
        }
    }

    /// Raises one component and lowers another, so that the loss decreases most.
    ///
    /// It returns false if no exchange lowers the loss.
    private func exchange(_ choice: inout [Int], within budget: Double) -> Bool {
        let slack = budget - problem.seconds(of: choice)
        let total = choice.indices.reduce(0) { $0 + abs(problem.options[$1][choice[$1]].loss) }
        var best = choice
        var lowest = -1e-9 * total
        for raised in choice.indices {
            for option in 0..<choice[raised] where isUseful[raised][option] {
                let up = change(choice, raised, option)
                guard up.loss < lowest else { continue }
                let higher = taking([Move(component: raised, option: option)], from: choice)
                for lowered in choice.indices where lowered != raised {
                    let options = problem.options[lowered].indices
                    for faster in options.dropFirst(choice[lowered] + 1)
                    where isUseful[lowered][faster] {
                        let down = change(higher, lowered, faster)
                        guard up.seconds + down.seconds <= slack, up.loss + down.loss < lowest
                        else { continue }
                        lowest = up.loss + down.loss
                        best = taking([Move(component: lowered, option: faster)], from: higher)
                    }
                }
            }
        }
        guard best != choice, problem.seconds(of: best) <= budget else { return false }
        choice = best
        return true
    }
}
