public import Transformers

/// Every plan that a search may choose, with its predicted seconds.
///
/// It creates a ``SearchProblem`` from its components, and converts the choice that solves the
/// problem to a plan.
public struct SearchSpace: Sendable {
    /// The prunable components, in the order of the forward pass.
    public let components: [Component]

    /// The plan that keeps everything.
    public let dense: Plan

    /// The variants of each component, the dense one first, each faster than the previous ones.
    let variants: [[Variant]]

    /// A problem that has the seconds of all `variants`, and 0 for every loss.
    ///
    /// ``problem(loss:layerLoss:)`` fills in the losses.
    let outline: SearchProblem

    /// The width of the residual stream of the plan that keeps everything.
    let hiddenSize: Int

    private let costs: any CostModel

    /// Creates the space of all plans that keep at most the units of `dense`.
    ///
    /// A variant is left out unless it is faster than all variants before it: those with more
    /// units, and those with equal units that come earlier in the order of `costs`.
    public init(dense: Plan, costs: some CostModel) {
        let components = dense.components.filter { !dense[$0].isRemoved }.sorted()
        hiddenSize = dense.hiddenSize ?? costs.hiddenSize
        let share = Double(hiddenSize) / Double(costs.hiddenSize)
        let candidates = components.map { component in
            let whole = dense[component]
            let others = costs.variants(of: component)
                .filter { $0 != whole && $0.units <= whole.units }
                .sorted { $0.units > $1.units }
            return SearchProblem.undominated(
                ([whole] + others).map {
                    (variant: $0, seconds: share * costs.seconds(of: component, as: $0))
                }, seconds: \.seconds)
        }
        self.components = components
        self.dense = dense
        self.costs = costs
        variants = candidates.map { $0.map(\.variant) }
        outline = SearchProblem(
            base: share * costs.base,
            options: candidates.map {
                $0.map { SearchProblem.Option(seconds: $0.seconds, loss: 0) }
            })
    }

    /// The problem to solve for a plan.
    ///
    /// - Parameters:
    ///   - loss: The loss of a component that becomes a variant, such as its prior.
    ///   - layerLoss: The loss of removing a whole layer; nil if it is the sum of the losses of its
    ///     two branches.
    /// - Returns: The problem, with the components in the order of ``components``.
    public func problem(
        loss: (_ component: Component, _ variant: Variant) -> Double,
        layerLoss: (_ layer: Int) -> Double? = { _ in nil }
    ) -> SearchProblem {
        SearchProblem(
            base: outline.base,
            options: components.indices.map { index in
                zip(variants[index], outline.options[index]).map { variant, option in
                    SearchProblem.Option(
                        seconds: option.seconds, loss: loss(components[index], variant))
                }
            },
            pairs: components.indices.compactMap { first in
                let component = components[first]
                let other = Component(layer: component.layer, kind: .feedForward)
                guard component.kind == .attention,
                    let second = components.firstIndex(of: other),
                    variants[first].last?.isRemoved == true,
                    variants[second].last?.isRemoved == true,
                    let loss = layerLoss(component.layer)
                else { return nil }
                return SearchProblem.Pair(first: first, second: second, loss: loss)
            })
    }

    /// The problem whose losses are the priors of a loss table.
    public func problem(priors losses: LossTable) -> SearchProblem {
        problem { losses.prior(of: $0, keeping: $1.units) }
    }

    /// Converts a choice to a plan.
    ///
    /// `choice` has the index of a variant for every component.
    public func plan(_ choice: [Int]) -> Plan {
        var plan = dense
        for (index, component) in components.enumerated() {
            plan[component] = variants[index][choice[index]]
        }
        return plan
    }

    /// The predicted seconds of a plan, proportional to the width of the residual stream.
    public func seconds(of plan: Plan) -> Double {
        let sum = components.reduce(costs.base) { $0 + costs.seconds(of: $1, as: plan[$1]) }
        return sum * Double(plan.hiddenSize ?? hiddenSize) / Double(costs.hiddenSize)
    }

    /// The predicted seconds of the dense model.
    public var denseSeconds: Double { seconds(of: dense) }

    /// The predicted seconds of the fastest plan.
    public var minimumSeconds: Double { outline.seconds(of: outline.fastest) }

    /// The speedup of the fastest plan over the dense model.
    public var maximumSpeedup: Double { denseSeconds / minimumSeconds }
}
