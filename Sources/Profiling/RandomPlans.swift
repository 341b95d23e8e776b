internal import Foundation
internal import Tensors
public import Transformers

/// Draws plans of a given cost: random components become cheaper, one after another.
struct PlanSampler {
    /// The dense model's sizes.
    let shape: ModelShape
    /// The variants to choose from.
    let variants: (ComponentKind) -> [Variant]
    /// The cost of a component that becomes a variant.
    let cost: (ComponentKind, Variant) -> Double

    /// Lowers components while the total cost is at least `minimum`.
    ///
    /// With a probability that differs from plan to plan, it lowers a component as far as the cost
    /// allows.
    func plan(costing minimum: Double, using random: inout SplitMix64) -> Plan {
        var plan = Plan(keepingAllOf: shape)
        var total = plan.components.reduce(0) { $0 + cost($1.kind, plan[$1]) }
        let removals = Double.random(in: 0...1, using: &random)
        var candidates = plan.components
        while let index = candidates.indices.randomElement(using: &random) {
            let component = candidates[index]
            let rest = total - cost(component.kind, plan[component])
            let lower = variants(component.kind).filter {
                let (now, then) = (cost(component.kind, plan[component]), cost(component.kind, $0))
                return then < now && rest + then >= minimum
            }
            let lowest = lower.min { cost(component.kind, $0) < cost(component.kind, $1) }
            guard let lowest, let any = lower.randomElement(using: &random) else {
                candidates.remove(at: index)
                continue
            }
            let removes = Double.random(in: 0..<1, using: &random) < removals
            plan[component] = removes ? lowest : any
            total = rest + cost(component.kind, plan[component])
        }
        return plan
    }
}

extension LatencyTable {
    /// Draws plans whose predicted speedups are spread over all reachable speedups.
    ///
    /// The range from 1 to the largest speedup is divided into equal ratios, one for each plan. The
    /// predicted speedup of the plan is random within its part. If the table has several formats,
    /// the format of a plan's output head is random.
    ///
    /// - Parameters:
    ///   - count: The number of plans.
    ///   - seed: Equal seeds give equal plans.
    /// - Returns: The plans, the slowest first.
    public func randomPlans(_ count: Int, seed: UInt64) -> [Plan] {
        let sampler = PlanSampler(
            shape: shape, variants: variants(of:), cost: seconds(of:as:))
        var random = SplitMix64(seed: seed)
        return (0..<count).map { index in
            let part = (Double(index) + Double.random(in: 0..<1, using: &random)) / Double(count)
            let minimum = interplay.sum(ofSeconds: dense.seconds / pow(maximumSpeedup, part))
            // Without a choice, no random number is drawn.
            let head =
                otherFormats.isEmpty
                ? nil : profiledFormats.randomElement(using: &random).map(headFormat)
            let base = base.seconds + seconds(ofHeadIn: head)
            var plan = sampler.plan(costing: max(0, minimum - base), using: &random)
            plan.headFormat = head == environment.precision ? nil : head
            return plan
        }
    }

    /// The format of the output head of a random plan.
    private func headFormat(for format: Precision) -> Precision {
        heads[format] == nil ? format.head : format
    }
}
