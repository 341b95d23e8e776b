import Foundation
import Tensors
import Testing
import Transformers

@testable import Pruning

/// The seconds of each component at each level.
private struct TableCosts: CostModel {
    let hiddenSize = 96
    var base = 0.5
    var table: [Component: [Int: Double]]

    func seconds(of component: Component, as variant: Variant) -> Double {
        table[component]?[variant.units] ?? 0
    }

    func variants(of component: Component) -> [Variant] {
        (table[component] ?? [:]).keys.sorted(by: >).map { Variant(units: $0) }
    }
}

/// A greedy search whose choices are turned into plans.
private struct PlanSearch {
    let space: SearchSpace
    let search: GreedySearch

    init(
        _ space: SearchSpace, loss: (Component, Int) -> Double,
        layerLoss: (Int) -> Double? = { _ in nil }
    ) {
        self.space = space
        search = GreedySearch(
            space.problem(loss: { loss($0, $1.units) }, layerLoss: layerLoss))
    }

    func plan(within budget: Double) throws -> Plan {
        space.plan(try search.choice(within: budget))
    }

    /// Returns the predicted loss of a plan; infinity for a plan outside the space.
    func loss(of plan: Plan) -> Double {
        let choice = zip(space.components, space.variants).compactMap { component, variants in
            variants.firstIndex(of: plan[component])
        }
        return choice.count == space.components.count ? search.loss(of: choice) : .infinity
    }
}

/// A small seeded problem.
///
/// Losses fall and times rise with the level.
private struct Problem {
    var costs: TableCosts
    var losses: [Component: [Int: Double]] = [:]
    var dense: Plan

    init(layers: Int, units: Int, seed: UInt64) {
        var random = SplitMix64(seed: seed)
        dense = Plan(
            attention: Array(repeating: units, count: layers),
            feedForward: Array(repeating: units, count: layers))
        costs = TableCosts(table: [:])
        for component in dense.components {
            var (time, loss) = (0.0, 0.0)
            var (times, losses) = ([0: 0.0], [units: 0.0])
            for level in 1...units {
                time += Double.random(in: 0.05...1, using: &random)
                times[level] = time
            }
            for level in (0..<units).reversed() {
                loss += Double.random(in: 0.01...1, using: &random)
                losses[level] = loss
            }
            costs.table[component] = times
            self.losses[component] = losses
        }
    }

    var space: SearchSpace { SearchSpace(dense: dense, costs: costs) }

    /// Returns the sum of weighted losses that dynamic programming minimises.
    func loss(of plan: Plan, weighing coefficients: [Double]) -> Double {
        zip(space.components, coefficients).reduce(0) {
            $0 + $1.1 * (losses[$1.0]?[plan[$1.0].units] ?? 0)
        }
    }

    /// Returns the problem with the losses of each component multiplied by its coefficient.
    func weighed(by coefficients: [Double]) -> Problem {
        var problem = self
        for (component, factor) in zip(space.components, coefficients) {
            problem.losses[component] = problem.losses[component]?.mapValues { factor * $0 }
        }
        return problem
    }

    var spdy: SPDYSearch {
        SPDYSearch(space.problem { losses[$0]?[$1.units] ?? .nan })
    }

    /// Returns the plan that dynamic programming finds.
    func plan(within budget: Double, weighing coefficients: [Double]) throws -> Plan {
        space.plan(try spdy.choice(within: budget, weighing: coefficients))
    }

    var greedy: PlanSearch {
        PlanSearch(space) { losses[$0]?[$1] ?? .nan }
    }

    /// Returns the minimum loss of all plans within a budget.
    func minimumLoss(within budget: Double) -> Double {
        var best = Double.infinity
        func visit(_ index: Int, _ seconds: Double, _ loss: Double) {
            guard seconds <= budget, loss < best else { return }
            guard index < space.components.count else {
                best = loss
                return
            }
            let component = components[index]
            for (level, time) in costs.table[component] ?? [:] {
                visit(index + 1, seconds + time, loss + (losses[component]?[level] ?? 0))
            }
        }
        let space = space
        let components = space.components
        visit(0, costs.base, 0)
        return best
    }
}

@Suite("Search")
struct SearchTests {
    @Test(
        "every step of a removal is faster and has a higher loss", arguments: 1...5)
    func path(seed: Int) throws {
        let problem = Problem(layers: 3, units: 4, seed: UInt64(seed))
        let path = problem.greedy.search.path()
        #expect(path.first?.loss == 0)
        #expect(abs((path.first?.seconds ?? 0) - problem.space.denseSeconds) < 1e-12)
        for (before, after) in zip(path, path.dropFirst()) {
            #expect(after.seconds < before.seconds && after.loss > before.loss)
            // The search is at least as good, because it can also restore and exchange units.
            let plan = try problem.greedy.plan(within: after.seconds)
            #expect(problem.greedy.loss(of: plan) <= after.loss + 1e-12)
        }
        #expect(abs((path.last?.seconds ?? 0) - problem.costs.base) < 1e-12)
    }

    @Test("dynamic programming finds the best plan for given coefficients, except for rounding")
    func dynamicProgramming() throws {
        for seed in 0..<30 as Range<UInt64> {
            let problem = Problem(layers: 2, units: 4, seed: seed)
            var random = SplitMix64(seed: seed)
            let coefficients = problem.space.components.map { _ in
                Double.random(in: 0...1, using: &random)
            }
            let weighed = problem.weighed(by: coefficients)
            for speedup in [1.2, 1.5, 2, 3] {
                let budget = problem.space.denseSeconds / speedup
                guard budget >= problem.space.minimumSeconds else { continue }
                let plan = try problem.plan(within: budget, weighing: coefficients)
                #expect(problem.space.seconds(of: plan) <= budget)
                let loss = problem.loss(of: plan, weighing: coefficients)
                // Rounding up adds less than a bucket to the time of each component.
                let rounded =
                    budget - (budget - problem.costs.base)
                    * Double(coefficients.count) / Double(SPDYSearch.buckets)
                #expect(loss <= weighed.minimumLoss(within: rounded) + 1e-12)
                #expect(loss >= weighed.minimumLoss(within: budget) - 1e-12)
            }
        }
    }

    @Test("random trials find coefficients whose plan has a lower measured loss")
    func trials() throws {
        let problem = Problem(layers: 4, units: 4, seed: 7)
        // Among plans of equal priors, the loss is higher if units of later layers are removed.
        func loss(_ choice: [Int]) -> Double {
            problem.loss(
                of: problem.space.plan(choice),
                weighing: problem.space.components.map { pow(3, Double($0.layer)) })
        }
        var search = problem.spdy
        (search.starts, search.steps) = (40, 200)
        let budget = problem.space.denseSeconds / 2
        let ones = [Double](repeating: 1, count: problem.space.components.count)
        var trials = 0
        let found = try search.coefficients(within: budget, seed: 3, loss: loss) { trials = $0 }
        #expect(trials == 240)
        let choice = try search.choice(within: budget, weighing: found)
        #expect(loss(choice) < loss(try search.choice(within: budget, weighing: ones)))
        #expect(found == (try search.coefficients(within: budget, seed: 3, loss: loss)))
        #expect(throws: SearchError.self) {
            try search.choice(within: problem.space.minimumSeconds / 2, weighing: ones)
        }
    }

    @Test("greedy search stays within the budget and is close to the best plan")
    func nearOptimal() throws {
        var gaps: [Double] = []
        for seed in 0..<30 as Range<UInt64> {
            let problem = Problem(layers: 2, units: 4, seed: seed)
            for speedup in [1.2, 1.5, 2, 3] {
                let budget = problem.space.denseSeconds / speedup
                guard budget >= problem.space.minimumSeconds else { continue }
                let plan = try problem.greedy.plan(within: budget)
                #expect(problem.space.seconds(of: plan) <= budget)
                gaps.append(problem.greedy.loss(of: plan) / problem.minimumLoss(within: budget))
            }
        }
        #expect(gaps.count > 80)
        #expect(gaps.allSatisfy { $0 >= 1 - 1e-9 })
        #expect(gaps.reduce(0, +) / Double(gaps.count) < 1.02)
        #expect((gaps.max() ?? 9) < 1.2)
    }

    @Test("greedy search is optimal for equal components with convex losses", arguments: 1...20)
    func optimalWhenConvex(steps: Int) throws {
        let dense = Plan(attention: [6, 6], feedForward: [6, 6])
        let times = Dictionary(uniqueKeysWithValues: (0...6).map { ($0, Double($0)) })
        let losses = (0...6).map { Double((6 - $0) * (6 - $0)) }
        var problem = Problem(layers: 2, units: 6, seed: 0)
        for component in dense.components {
            problem.costs.table[component] = times
            problem.losses[component] = Dictionary(
                uniqueKeysWithValues: losses.enumerated().map { ($0, $1) })
        }
        problem.costs.base = 0
        let budget = Double(24 - steps)
        let plan = try problem.greedy.plan(within: budget)
        let (share, extra) = (steps / 4, steps % 4)
        let best = Double((4 - extra) * share * share + extra * (share + 1) * (share + 1))
        #expect(problem.greedy.loss(of: plan) == best)
        #expect(problem.space.seconds(of: plan) == budget)
    }

    @Test("a target that is too high gives an error with the maximum speedup")
    func unreachable() throws {
        var problem = Problem(layers: 1, units: 2, seed: 1)
        for component in problem.dense.components {
            problem.costs.table[component] = [0: 0, 1: 1, 2: 2]
        }
        problem.costs.base = 1
        let space = problem.space
        #expect(space.denseSeconds == 5 && space.minimumSeconds == 1 && space.maximumSpeedup == 5)
        let error = SearchError.unreachable(target: 10, maximum: 5)
        #expect(throws: error) { try problem.greedy.plan(within: 0.5) }
        #expect(throws: error) { try space.uniformPlan(within: 0.5) }
        #expect(throws: error) { try space.depthPlan(within: 0.5, importance: [1]) }
        #expect(throws: error) { try space.randomPlan(within: 0.5, seed: 0) }
        #expect(try problem.greedy.plan(within: 1) == Plan(attention: [0], feedForward: [0]))
        #expect(try problem.greedy.plan(within: 5) == problem.dense)
    }

    @Test("units are restored if the last step saved more time than needed")
    func givesBack() throws {
        var problem = Problem(layers: 1, units: 4, seed: 2)
        let (attention, feedForward) = (problem.space.components[0], problem.space.components[1])
        problem.costs.base = 0
        problem.costs.table = [attention: [0: 0, 4: 4], feedForward: [0: 0, 3: 3, 4: 4]]
        problem.losses = [attention: [0: 3, 4: 0], feedForward: [0: 100, 3: 0.5, 4: 0]]
        let plan = try problem.greedy.plan(within: 4)
        #expect(plan == Plan(attention: [0], feedForward: [4]))
    }

    @Test("levels that are not faster than a larger level are never chosen")
    func dominated() throws {
        var problem = Problem(layers: 1, units: 3, seed: 3)
        let component = problem.space.components[0]
        problem.costs.table[component] = [3: 3, 2: 1, 1: 1.5, 0: 1]
        #expect(problem.space.variants[0].map(\.units) == [3, 2])
        let uniform = try problem.space.uniformPlan(within: problem.space.minimumSeconds)
        #expect(uniform[component].units == 2)
    }

    @Test("a component to which the model is sensitive is kept")
    func sensitivities() throws {
        let problem = Problem(layers: 3, units: 4, seed: 4)
        let budget = problem.space.denseSeconds / 1.5
        let protected = problem.space.components[1]
        let weighted = PlanSearch(problem.space) {
            (problem.losses[$0]?[$1] ?? .nan) * ($0 == protected ? 1e6 : 1)
        }
        #expect(try problem.greedy.plan(within: budget)[protected].units < 4)
        #expect(try weighted.plan(within: budget)[protected].units == 4)
    }

    @Test("a full layer is removed only if this has the best ratio of loss and time")
    func layers() throws {
        var problem = Problem(layers: 3, units: 1, seed: 4)
        for component in problem.dense.components {
            problem.costs.table[component] = [0: 0, 1: 1]
            problem.losses[component] = [0: 1, 1: 0]
        }
        func plan(_ layers: [Int: Double], removing count: Double) throws -> Plan {
            let search = PlanSearch(
                problem.space, loss: { problem.losses[$0]?[$1] ?? .nan },
                layerLoss: { layers[$0] })
            let plan = try search.plan(within: problem.space.denseSeconds - count)
            let gone = (0..<3).filter { plan.attention[$0] == 0 && plan.feedForward[$0] == 0 }
            let single = plan.attention.count { $0 == 0 } + plan.feedForward.count { $0 == 0 }
            let wanted = gone.reduce(Double(single)) { $0 + max(layers[$1] ?? 2, 1) - 2 }
            #expect(abs(search.loss(of: plan) - wanted) < 1e-12)
            return plan
        }
        let cheap = try plan([0: 3, 1: 1.2, 2: 2.5], removing: 2)
        #expect(cheap == Plan(attention: [1, 0, 1], feedForward: [1, 0, 1]))
        let dear = try plan([0: 3, 1: 3, 2: 2.5], removing: 3)
        #expect((0..<3).allSatisfy { dear.attention[$0] + dear.feedForward[$0] == 1 })
        // Removing a layer costs at least as much as removing its branches.
        let minimum = try plan([0: 0.1, 1: 3, 2: 3], removing: 2)
        #expect(minimum.attention[0] + minimum.feedForward[0] == 0)
    }

    @Test("a search with losses of layers is close to the best plan", arguments: 1...10)
    func layersAgainstBruteForce(seed: Int) throws {
        let problem = Problem(layers: 2, units: 3, seed: UInt64(seed))
        let space = problem.space
        func whole(_ layer: Int) -> Double {
            [ComponentKind.attention, .feedForward].reduce(0) {
                $0 + (problem.losses[Component(layer: layer, kind: $1)]?[0] ?? 0)
            }
        }
        let search = PlanSearch(
            space, loss: { problem.losses[$0]?[$1] ?? .nan },
            layerLoss: { whole($0) * ($0 == 0 ? 0.6 : 1.3) })
        let levels = 0...3
        let plans = levels.flatMap { a in
            levels.flatMap { b in
                levels.flatMap { c in
                    levels.map { Plan(attention: [a, b], feedForward: [c, $0]) }
                }
            }
        }
        for speedup in [1.3, 1.7, 2.2] {
            let budget = max(space.minimumSeconds, space.denseSeconds / speedup)
            let found = try search.plan(within: budget)
            #expect(space.seconds(of: found) <= budget)
            let best = plans.filter { space.seconds(of: $0) <= budget }
                .map { search.loss(of: $0) }.min()
            #expect(search.loss(of: found) <= 1.5 * (best ?? 0) + 1e-9)
        }
    }

    @Test("repeated searches give the same plan, also if all choices are equal")
    func deterministic() throws {
        let problem = Problem(layers: 4, units: 5, seed: 5)
        let budget = problem.space.denseSeconds / 1.7
        #expect(
            try problem.greedy.plan(within: budget) == problem.greedy.plan(within: budget))
        var equal = problem
        for component in problem.dense.components {
            equal.costs.table[component] = [0: 0, 5: 1]
            equal.losses[component] = [0: 1, 5: 0]
        }
        let plan = try equal.greedy.plan(within: equal.costs.base + 6)
        #expect(plan == Plan(attention: [0, 5, 5, 5], feedForward: [0, 5, 5, 5]))
    }

    @Test("llama.cpp can load plans that are made for it", arguments: 0..<10 as Range<UInt64>)
    func loadable(seed: UInt64) throws {
        let problem = Problem(layers: 3, units: 100, seed: seed)
        let space = SearchSpace(
            dense: problem.dense, costs: LoadableCosts(problem.costs, for: .gguf))
        let search = PlanSearch(space) { problem.losses[$0]?[$1] ?? 0 }
        for speedup in [1.2, 1.5, space.maximumSpeedup] {
            let plan = try search.plan(within: space.denseSeconds / speedup)
            #expect(plan.attention[0] > 0)
            #expect(plan.feedForward.allSatisfy { $0 > 0 && ($0 % 32 == 0 || $0 == 100) })
        }
    }

    @Test(
        "baselines stay within the budget, and the uniform plan is as large as possible",
        arguments: [1.1, 1.5, 2.5])
    func baselines(speedup: Double) throws {
        let problem = Problem(layers: 5, units: 6, seed: 6)
        let space = problem.space
        let budget = space.denseSeconds / speedup
        let uniform = try space.uniformPlan(within: budget)
        let depth = try space.depthPlan(within: budget, importance: [5, 1, 3, 0, 4])
        let random = try space.randomPlan(within: budget, seed: 7)
        for plan in [uniform, depth, random] { #expect(space.seconds(of: plan) <= budget) }
        let levels = uniform.attention + uniform.feedForward
        let (minimum, most) = (levels.min() ?? 0, levels.max() ?? 0)
        #expect(most - minimum <= 1, "levels differ by more than one")
        for component in space.components where uniform[component].units == minimum && minimum < 6 {
            var larger = uniform
            larger[component].units += 1
            #expect(space.seconds(of: larger) > budget, "\(component) could keep more")
        }
        #expect(try space.randomPlan(within: budget, seed: 7) == random)
        #expect(try space.randomPlan(within: budget, seed: 8) != random)
    }

    @Test(
        "a width plan keeps equal fractions of units with the largest possible hidden size",
        arguments: [1, 1.2, 2, 4, 9])
    func width(speedup: Double) throws {
        var problem = Problem(layers: 3, units: 6, seed: 6)
        for component in problem.dense.components {
            problem.costs.table[component] = problem.costs.table[problem.dense.components[0]]
        }
        let space = problem.space
        let budget = space.denseSeconds / speedup
        let plan = try space.widthPlan(within: budget, step: 8)
        #expect(space.seconds(of: plan) <= budget)
        #expect(Set(plan.attention).count == 1 && Set(plan.feedForward).count == 1)
        #expect((plan == problem.dense) == (speedup == 1))
        let size = plan.hiddenSize ?? 96
        #expect(size % 8 == 0)
        func nearest(_ share: Double) -> Int { max(1, Int((6 * share).rounded())) }
        #expect(abs(plan.attention[0] - nearest(Double(size) / 96)) <= 1)
        // All larger hidden sizes are tried. They leave too small a fraction of neurons.
        for wider in stride(from: 96, through: size, by: -8) {
            let share = Double(wider) / 96
            let heads = [Int](repeating: nearest(share), count: 3)
            let held = (1...6).filter { neurons in
                let other = Plan(
                    attention: heads, feedForward: [Int](repeating: neurons, count: 3),
                    hiddenSize: wider)
                return Double(neurons) >= 6 * share && space.seconds(of: other) <= budget
            }
            if wider == size, plan.attention == heads {
                #expect(held.max() ?? nearest(share) == plan.feedForward[0])
            } else if wider > size {
                #expect(held.isEmpty)
            }
        }
        #expect(throws: SearchError.self) { try space.widthPlan(within: 1e-3, step: 8) }
        // Other programs need a hidden size that the number of heads divides. Here a unit has 2
        // heads.
        let even = try space.widthPlan(within: budget, step: 8, headsThatDivide: 2)
        #expect(space.seconds(of: even) <= budget)
        #expect((even.hiddenSize ?? 96) % (2 * even.attention[0]) == 0)
    }

    @Test("a depth plan removes the least important layers, and may keep a block of the last")
    func depth() throws {
        var problem = Problem(layers: 3, units: 2, seed: 8)
        problem.costs.base = 0
        for component in problem.dense.components {
            problem.costs.table[component] =
                component.kind == .attention ? [0: 0, 2: 1] : [0: 0, 2: 3]
        }
        let importance = [2.0, 0, 1]
        let expected: [(Double, Plan)] = [
            (12, Plan(attention: [2, 2, 2], feedForward: [2, 2, 2])),
            (11, Plan(attention: [2, 0, 2], feedForward: [2, 2, 2])),
            (9, Plan(attention: [2, 2, 2], feedForward: [2, 0, 2])),
            (8, Plan(attention: [2, 0, 2], feedForward: [2, 0, 2])),
            (6, Plan(attention: [2, 0, 2], feedForward: [2, 0, 0])),
            (0, Plan(attention: [0, 0, 0], feedForward: [0, 0, 0])),
        ]
        for (budget, plan) in expected {
            #expect(try problem.space.depthPlan(within: budget, importance: importance) == plan)
        }
    }
}
