import Foundation
import Tensors
import Testing
import Transformers

@testable import Pruning

@Suite("Sensitivity")
struct SensitivityTests {
    @Test(
        "a factor is the damage that removing the rest of a branch adds, for each prior it adds",
        arguments: TinyModel.names)
    func measured(name: String) throws {
        let (tiny, scratch) = (try TinyModel(name), try Scratch())
        let surgery = try tiny.surgery(in: scratch)
        let losses = try surgery.losses(order: .optimalBrainSurgeon)
        let damage = Damage(
            from: tiny.model, on: TokenBatch(tiny.text.heldOut), engine: tiny.engine)
        func model(_ plan: Plan) throws -> Model {
            try Model(
                ShrunkWeights(
                    plan, losses: losses, surgery: surgery, order: .optimalBrainSurgeon))
        }
        let dense = Plan(keepingAllOf: tiny.shape)
        var pruned = dense
        pruned.attention[0] = 1
        pruned.feedForward[1] = dense.feedForward[1] / 2
        pruned.feedForward[2] = 0
        #expect(abs(damage.of(tiny.model)) < 1e-6)
        for plan in [dense, pruned] {
            var calls: [Int] = []
            let sensitivity = try Sensitivity(
                at: plan, losses: losses, surgery: surgery, damage: damage
            ) { calls.append($0) }
            let remaining = tiny.components.filter { plan[$0] > 0 }
            #expect(calls == Array(1...remaining.count))
            #expect(Set(sensitivity.factors.keys) == Set(remaining))
            let before = damage.of(try model(plan))
            for component in remaining {
                var removed = plan
                removed[component] = 0
                let added = damage.of(try model(removed)) - before
                let prior = 1 - losses.prior(of: component, keeping: plan[component])
                let factor = try #require(sensitivity.factors[component])
                #expect(abs(factor * prior - max(added, 1e-9)) <= 1e-5 * max(abs(added), 1e-2))
            }
            let data = try JSONEncoder().encode(sensitivity)
            #expect(try JSONDecoder().decode(Sensitivity.self, from: data) == sensitivity)
        }
    }
}
