public import Transformers

/// Every plan that a search may choose, with its predicted seconds.
public struct SearchSpace: Sendable {
    /// The prunable components, in the order of the forward pass.
    public let components: [Component]

    /// The plan that keeps everything.
    public let dense: Plan

    /// For each component its levels, descending from the dense one, each faster than the last.
    let levels: [[Int]]

    /// The seconds of each of `levels`.
    let seconds: [[Double]]

    /// Seconds that no level changes.
    let base: Double

    /// The channels of the residual stream of the plan that keeps everything.
    let hiddenSize: Int

    private let costs: any CostModel

    /// Creates the space of plans below a dense one.
    ///
    /// Levels that are no faster than a larger one are left out.
    public init(dense: Plan, costs: some CostModel) {
        let components = dense.components.filter { dense[$0] > 0 }.sorted()
        hiddenSize = dense.hiddenSize ?? costs.hiddenSize
        let share = Double(hiddenSize) / Double(costs.hiddenSize)
        var levels: [[Int]] = []
        var seconds: [[Double]] = []
        for component in components {
            let units = dense[component]
            var kept = [units]
            var times = [share * costs.seconds(of: component, keeping: units)]
            for level in costs.levels(of: component) where level >= 0 && level < units {
                let time = share * costs.seconds(of: component, keeping: level)
                if level < kept[kept.count - 1], time < times[times.count - 1] {
                    kept.append(level)
                    times.append(time)
                }
            }
            levels.append(kept)
            seconds.append(times)
        }
        self.components = components
        self.dense = dense
        self.levels = levels
        self.seconds = seconds
        self.costs = costs
        base = share * costs.base
    }

    /// The predicted seconds of a plan, which fall as the width of the residual stream does.
    public func seconds(of plan: Plan) -> Double {
        let sum = components.reduce(costs.base) { $0 + costs.seconds(of: $1, keeping: plan[$1]) }
        return sum * Double(plan.hiddenSize ?? hiddenSize) / Double(costs.hiddenSize)
    }

    /// The predicted seconds of the dense model.
    public var denseSeconds: Double { seconds(of: dense) }

    /// The predicted seconds of the fastest plan.
    public var leastSeconds: Double {
        seconds.reduce(base) { $0 + $1[$1.count - 1] }
    }

    /// The speedup of the fastest plan over the dense model.
    public var greatestSpeedup: Double { denseSeconds / leastSeconds }

    /// Refuses a budget that no plan holds.
    ///
    /// - Parameter budget: Seconds.
    /// - Throws: ``SearchError/unreachable(target:greatest:)``.
    func check(_ budget: Double) throws(SearchError) {
        guard leastSeconds <= budget else {
            throw .unreachable(target: denseSeconds / budget, greatest: greatestSpeedup)
        }
    }

    /// The plan of one index into `levels` for each component.
    func plan(_ choice: [Int]) -> Plan {
        var plan = dense
        for (index, component) in components.enumerated() {
            plan[component] = levels[index][choice[index]]
        }
        return plan
    }

    /// The seconds of one index into `levels` for each component.
    func seconds(_ choice: [Int]) -> Double {
        choice.indices.reduce(base) { $0 + seconds[$1][choice[$1]] }
    }
}
