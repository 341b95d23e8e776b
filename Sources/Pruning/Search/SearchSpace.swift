public import Tensors
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

    /// The formats of the output head, each faster than the previous ones; the first is nil.
    let headFormats: [Precision?]

    /// A problem that has the seconds of all `variants`, and 0 for every loss.
    ///
    /// If the output head has several formats, its options are the last.
    /// ``problem(loss:headLoss:layerLoss:)`` fills in the losses.
    let outline: SearchProblem

    /// The width of the residual stream of the plan that keeps everything.
    let hiddenSize: Int

    let costs: any CostModel

    /// Creates the space of all plans that keep at most the units of `dense`.
    ///
    /// A variant is left out unless it is faster than the dense one and than all variants of its
    /// format with more units.
    public init(dense: Plan, costs: some CostModel) {
        let components = dense.components.filter { !dense[$0].isRemoved }.sorted()
        hiddenSize = dense.hiddenSize ?? costs.hiddenSize
        let share = Double(hiddenSize) / Double(costs.hiddenSize)
        let candidates = components.map { component in
            func candidate(_ variant: Variant) -> (variant: Variant, seconds: Double) {
                (variant, share * costs.seconds(of: component, as: variant))
            }
            let whole = candidate(dense[component])
            let others = costs.variants(of: component)
                .filter { $0 != whole.variant && $0.units <= whole.variant.units }
                .sorted { $0.units > $1.units }
            let faster = Dictionary(grouping: others, by: \.format).values.flatMap { variants in
                SearchProblem.undominated([whole] + variants.map(candidate), seconds: \.seconds)
                    .dropFirst()
            }
            return SearchProblem.undominated(
                [whole] + faster.sorted { ($1.seconds, $0.variant) < ($0.seconds, $1.variant) },
                seconds: \.seconds)
        }
        let heads = SearchProblem.undominated(
            [(format: Precision?.none, seconds: 0.0)]
                + costs.headFormats.map { ($0, share * costs.seconds(ofHeadIn: $0)) }
                .sorted { $0.seconds > $1.seconds }, seconds: \.seconds)
        self.components = components
        self.dense = dense
        self.costs = costs
        variants = candidates.map { $0.map(\.variant) }
        headFormats = heads.map(\.format)
        var options = candidates.map {
            $0.map { SearchProblem.Option(seconds: $0.seconds, loss: 0) }
        }
        if heads.count > 1 {
            options.append(heads.map { SearchProblem.Option(seconds: $0.seconds, loss: 0) })
        }
        outline = SearchProblem(base: share * costs.base, options: options)
    }

    /// The problem to solve for a plan.
    ///
    /// - Parameters:
    ///   - loss: The loss of a component that becomes a variant, such as its prior.
    ///   - headLoss: The loss of an output head in a format.
    ///   - layerLoss: The loss of removing a whole layer; nil if it is the sum of the losses of its
    ///     two branches.
    /// - Returns: The problem, with the components in the order of ``components``.
    public func problem(
        loss: (_ component: Component, _ variant: Variant) -> Double,
        headLoss: (_ format: Precision) -> Double = { _ in 0 },
        layerLoss: (_ layer: Int) -> Double? = { _ in nil }
    ) -> SearchProblem {
        let losses =
            zip(components, variants).map { component, variants in
                variants.map { loss(component, $0) }
            } + [headFormats.map { $0.map(headLoss) ?? 0 }]
        return SearchProblem(
            base: outline.base,
            options: zip(outline.options, losses).map { options, losses in
                zip(options, losses).map {
                    SearchProblem.Option(seconds: $0.seconds, loss: $1)
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
    /// `choice` has the index of a variant for every component, and the index of the output head's
    /// format if it has several.
    public func plan(_ choice: [Int]) -> Plan {
        var plan = dense
        for (index, component) in components.enumerated() {
            plan[component] = variants[index][choice[index]]
        }
        if choice.count > components.count {
            plan.headFormat = headFormats[choice[components.count]]
        }
        return plan
    }

    /// The predicted seconds of a plan, proportional to the width of the residual stream.
    public func seconds(of plan: Plan) -> Double {
        let sum = components.reduce(costs.base + costs.seconds(ofHeadIn: plan.headFormat)) {
            $0 + costs.seconds(of: $1, as: plan[$1])
        }
        return sum * Double(plan.hiddenSize ?? hiddenSize) / Double(costs.hiddenSize)
    }

    /// The predicted seconds of the dense model.
    public var denseSeconds: Double { seconds(of: dense) }

    /// The predicted seconds of the fastest plan.
    public var minimumSeconds: Double { outline.seconds(of: outline.fastest) }

    /// The speedup of the fastest plan over the dense model.
    public var maximumSpeedup: Double { denseSeconds / minimumSeconds }
}
