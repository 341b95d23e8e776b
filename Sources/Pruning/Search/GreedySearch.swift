public import Transformers

/// Repeatedly removes what has the least loss for the time it saves, until the budget holds.
///
/// A step takes one component to any lower level, so plateaus of the latency are jumped over.
/// What the last step saved too much is given back, and then levels are exchanged between pairs
/// of components as long as that lowers the loss. Equal choices go to the earlier component and
/// the higher level, so a search has one result.
public struct GreedySearch: Sendable {
    /// The plans to choose from.
    public let space: SearchSpace

    /// For each component the loss of each of its levels.
    private let losses: [[Double]]

    /// Prepares a search.
    ///
    /// - Parameters:
    ///   - space: The plans to choose from.
    ///   - loss: The loss of a component at a level, such as its prior; one that is not finite
    ///     counts as 1e100.
    public init(_ space: SearchSpace, loss: (_ component: Component, _ level: Int) -> Double) {
        self.space = space
        losses = zip(space.components, space.levels).map { component, levels in
            levels.map { level in
                let loss = loss(component, level)
                return loss.isFinite ? loss : 1e100
            }
        }
    }

    /// The predicted loss of a plan, the sum over its components.
    ///
    /// - Precondition: The plan's levels are of the search space.
    public func loss(of plan: Plan) -> Double {
        space.components.indices.reduce(0) { sum, index in
            let level = space.levels[index].firstIndex(of: plan[space.components[index]])
            return sum + (level.map { losses[index][$0] } ?? .infinity)
        }
    }

    /// The best plan found whose predicted seconds are within a budget.
    ///
    /// - Parameter budget: Seconds, those that no plan changes included.
    /// - Returns: The plan.
    /// - Throws: ``SearchError/unreachable(target:greatest:)``.
    /// - Complexity: O(steps · components · levels), and as much squared for each exchange.
    public func plan(within budget: Double) throws(SearchError) -> Plan {
        try space.check(budget)
        var choice = [Int](repeating: 0, count: space.components.count)
        while space.seconds(choice) > budget, let move = cheapestStep(from: choice) {
            choice[move.component] = move.level
        }
        repeat { giveBack(&choice, within: budget) } while exchange(&choice, within: budget)
        return space.plan(choice)
    }

    /// The plans that removal alone goes through from the dense one, the first of which it is: their
    /// predicted seconds and losses.
    public func path() -> [(seconds: Double, loss: Double)] {
        var choice = [Int](repeating: 0, count: space.components.count)
        var path: [(seconds: Double, loss: Double)] = []
        func note() {
            path.append(
                (space.seconds(choice), choice.indices.reduce(0) { $0 + losses[$1][choice[$1]] }))
        }
        note()
        while let move = cheapestStep(from: choice) {
            choice[move.component] = move.level
            note()
        }
        return path
    }

    /// One component's change to another index into its levels.
    private struct Move {
        var component: Int
        var level: Int
    }

    /// What a move adds to the loss, and the seconds it adds.
    private func change(_ choice: [Int], _ component: Int, _ level: Int) -> (
        loss: Double, seconds: Double
    ) {
        let (losses, seconds) = (losses[component], space.seconds[component])
        let now = choice[component]
        return (losses[level] - losses[now], seconds[level] - seconds[now])
    }

    /// The move to a lower level with the least loss for each second saved.
    private func cheapestStep(from choice: [Int]) -> Move? {
        var best: Move?
        var least = Double.infinity
        for component in choice.indices {
            for level in space.levels[component].indices.dropFirst(choice[component] + 1) {
                let change = change(choice, component, level)
                let ratio = change.loss / -change.seconds
                if best == nil || ratio < least {
                    best = Move(component: component, level: level)
                    least = ratio
                }
            }
        }
        return best
    }

    /// Raises levels, most loss undone for a second first, as long as the budget holds.
    private func giveBack(_ choice: inout [Int], within budget: Double) {
        while true {
            let slack = budget - space.seconds(choice)
            var best: Move?
            var most = 0.0
            for component in choice.indices {
                for level in 0..<choice[component] {
                    let change = change(choice, component, level)
                    guard change.seconds <= slack else { continue }
                    let ratio = -change.loss / change.seconds
                    if ratio > most {
                        best = Move(component: component, level: level)
                        most = ratio
                    }
                }
            }
            guard let best else { return }
            var raised = choice
            raised[best.component] = best.level
            guard space.seconds(raised) <= budget else { return }
            choice = raised
        }
    }

    /// Raises one component and lowers another where that lowers the loss most; false where not.
    private func exchange(_ choice: inout [Int], within budget: Double) -> Bool {
        let slack = budget - space.seconds(choice)
        let total = choice.indices.reduce(0) { $0 + abs(losses[$1][choice[$1]]) }
        var best = choice
        var least = -1e-9 * total
        for raised in choice.indices {
            for level in 0..<choice[raised] {
                let up = change(choice, raised, level)
                guard up.loss < least else { continue }
                for lowered in choice.indices where lowered != raised {
                    for lower in space.levels[lowered].indices.dropFirst(choice[lowered] + 1) {
                        let down = change(choice, lowered, lower)
                        guard up.seconds + down.seconds <= slack, up.loss + down.loss < least
                        else { continue }
                        least = up.loss + down.loss
                        best = choice
                        best[raised] = level
                        best[lowered] = lower
                    }
                }
            }
        }
        guard best != choice, space.seconds(best) <= budget else { return false }
        choice = best
        return true
    }
}
