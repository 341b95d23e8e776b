public import Transformers

/// Repeatedly removes what has the least loss for the time it saves, until the budget holds.
///
/// A step takes one component to any lower level, so plateaus of the latency are jumped over, or
/// both branches of a layer away, whose loss need not be the sum of theirs. What the last step saved
/// too much is given back, and then levels are exchanged between pairs of components as long as that
/// lowers the loss. Equal choices go to the earlier component and the higher level, so a search has
/// one result.
public struct GreedySearch: Sendable {
    /// The plans to choose from.
    public let space: SearchSpace

    /// For each component the loss of each of its levels.
    private let losses: [[Double]]

    /// For each component the other branch of its layer, where the loss of both being gone is known.
    private var partners: [Partner?]

    private struct Partner {
        var component: Int
        /// What the loss of the whole layer is beyond that of its branches.
        var excess: Double
    }

    /// Prepares a search.
    ///
    /// - Parameters:
    ///   - space: The plans to choose from.
    ///   - loss: The loss of a component at a level, such as its prior; one that is not finite
    ///     counts as 1e100.
    ///   - layerLoss: The loss of a whole layer being gone; nil where it is that of its branches.
    public init(
        _ space: SearchSpace, loss: (_ component: Component, _ level: Int) -> Double,
        layerLoss: (_ layer: Int) -> Double? = { _ in nil }
    ) {
        self.space = space
        let losses = zip(space.components, space.levels).map { component, levels in
            levels.map { level in
                let loss = loss(component, level)
                return loss.isFinite ? loss : 1e100
            }
        }
        partners = losses.map { _ in nil }
        for (first, component) in space.components.enumerated() where component.kind == .attention {
            let other = Component(layer: component.layer, kind: .feedForward)
            guard let second = space.components.firstIndex(of: other),
                space.levels[first].last == 0, space.levels[second].last == 0,
                let loss = layerLoss(component.layer), loss.isFinite
            else { continue }
            let branches = [losses[first], losses[second]].compactMap(\.last)
            // A layer is no less than either of its branches.
            let excess = max(loss, branches.max() ?? 0) - branches.reduce(0, +)
            partners[first] = Partner(component: second, excess: excess)
            partners[second] = Partner(component: first, excess: excess)
        }
        self.losses = losses
    }

    /// The predicted loss of a plan, the sum over its components and the excess of layers that are
    /// gone; infinite where a level is not of the search space.
    public func loss(of plan: Plan) -> Double {
        let choice = zip(space.components, space.levels).compactMap { component, levels in
            levels.firstIndex(of: plan[component])
        }
        return choice.count == space.components.count ? loss(choice) : .infinity
    }

    private func loss(_ choice: [Int]) -> Double {
        choice.indices.reduce(0) { sum, index in
            var loss = losses[index][choice[index]]
            if let partner = partners[index], partner.component < index, isGone(choice, index),
                isGone(choice, partner.component)
            {
                loss += partner.excess
            }
            return sum + loss
        }
    }

    private func isGone(_ choice: [Int], _ component: Int) -> Bool {
        choice[component] == losses[component].count - 1
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
        while space.seconds(choice) > budget, let next = cheapestStep(from: choice) {
            choice = next
        }
        repeat { giveBack(&choice, within: budget) } while exchange(&choice, within: budget)
        return space.plan(choice)
    }

    /// The plans that removal alone goes through from the dense one, the first of which it is: their
    /// predicted seconds and losses.
    public func path() -> [(seconds: Double, loss: Double)] {
        var choice = [Int](repeating: 0, count: space.components.count)
        var path: [(seconds: Double, loss: Double)] = []
        func note() { path.append((space.seconds(choice), loss(choice))) }
        note()
        while let next = cheapestStep(from: choice) {
            choice = next
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
        var loss = losses[level] - losses[now]
        if let partner = partners[component], isGone(choice, partner.component) {
            let last = losses.count - 1
            if level == last, now != last { loss += partner.excess }
            if now == last, level != last { loss -= partner.excess }
        }
        return (loss, seconds[level] - seconds[now])
    }

    /// The choice behind the step down with the least loss for each second saved, of one component
    /// or of what is left of a layer.
    private func cheapestStep(from choice: [Int]) -> [Int]? {
        var best: [Int]?
        var least = Double.infinity
        func consider(_ loss: Double, _ seconds: Double, _ moves: Move...) {
            let ratio = loss / -seconds
            guard best == nil || ratio < least else { return }
            (best, least) = (taking(moves, from: choice), ratio)
        }
        for component in choice.indices {
            for level in space.levels[component].indices.dropFirst(choice[component] + 1) {
                let change = change(choice, component, level)
                consider(change.loss, change.seconds, Move(component: component, level: level))
            }
            guard let partner = partners[component]?.component, partner > component,
                !isGone(choice, component), !isGone(choice, partner)
            else { continue }
            let first = Move(component: component, level: losses[component].count - 1)
            let second = Move(component: partner, level: losses[partner].count - 1)
            let gone = taking([first, second], from: choice)
            consider(
                loss(gone) - loss(choice), space.seconds(gone) - space.seconds(choice), first,
                second)
        }
        return best
    }

    private func taking(_ moves: [Move], from choice: [Int]) -> [Int] {
        var choice = choice
        for move in moves { choice[move.component] = move.level }
        return choice
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
                let higher = taking([Move(component: raised, level: level)], from: choice)
                for lowered in choice.indices where lowered != raised {
                    for lower in space.levels[lowered].indices.dropFirst(choice[lowered] + 1) {
                        let down = change(higher, lowered, lower)
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
