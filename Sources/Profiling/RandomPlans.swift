internal import Foundation
internal import Tensors
public import Transformers

extension LatencyTable {
    /// Draws plans whose predicted speedups are spread over all that can be reached.
    ///
    /// The range from 1 to the greatest speedup is cut into equal ratios, one for each plan. A plan
    /// lowers random components to random levels worth choosing until it is as fast as a random
    /// speedup of its part. How often it removes whole branches instead differs from plan to plan.
    ///
    /// - Parameters:
    ///   - count: How many.
    ///   - seed: Equal seeds give equal plans.
    /// - Returns: The plans, the slowest first.
    public func randomPlans(_ count: Int, seed: UInt64) -> [Plan] {
        var random = SplitMix64(seed: seed)
        return (0..<count).map { index in
            let part = (Double(index) + Double.random(in: 0..<1, using: &random)) / Double(count)
            return randomPlan(
                lasting: interplay.sum(ofSeconds: dense.seconds / pow(greatestSpeedup, part)),
                using: &random)
        }
    }

    /// Lowers components at random for as long as the parts take at least some seconds.
    private func randomPlan(lasting least: Double, using random: inout SplitMix64) -> Plan {
        var plan = Plan(keepingAllOf: shape)
        var seconds = sum(of: plan)
        let removals = Double.random(in: 0...1, using: &random)
        var candidates = plan.components
        while let index = candidates.indices.randomElement(using: &random) {
            let component = candidates[index]
            let now = self.seconds(of: component.kind, keeping: plan[component])
            let levels = usefulLevels(of: component.kind).filter {
                $0 < plan[component]
                    && seconds - now + self.seconds(of: component.kind, keeping: $0) >= least
            }
            guard let lowest = levels.last, let any = levels.randomElement(using: &random) else {
                candidates.remove(at: index)
                continue
            }
            let removes = Double.random(in: 0..<1, using: &random) < removals
            plan[component] = removes ? lowest : any
            seconds += self.seconds(of: component.kind, keeping: plan[component]) - now
        }
        return plan
    }
}
