import Foundation
import Tensors
import Testing
import Transformers

@testable import Pruning

@Suite("Sensitivity")
struct SensitivityTests {
    @Test(
        "what is measured is the damage of one removal, and losses rise with the prior",
        arguments: TinyModel.names)
    func measured(name: String) throws {
        let (tiny, scratch) = (try TinyModel(name), try Scratch())
        let surgery = try tiny.surgery(in: scratch)
        let losses = try surgery.losses(order: .optimalBrainSurgeon)
        let damage = Damage(
            from: tiny.model, on: TokenBatch(tiny.text.heldOut), engine: tiny.engine)
        var calls: [Int] = []
        let sensitivity = try Sensitivity(losses, surgery: surgery, damage: damage) {
            calls.append($0)
        }
        #expect(calls == Array(1...tiny.components.count))
        #expect(Set(sensitivity.points.keys) == Set(tiny.components))
        for component in tiny.components {
            let points = try #require(sensitivity.points[component])
            var plan = Plan(keepingAllOf: tiny.shape)
            plan[component] = 0
            let weights = ShrunkWeights(
                plan, losses: losses, surgery: surgery, order: .optimalBrainSurgeon)
            let whole = damage.of(try Model(weights))
            #expect(abs(points.whole - whole) <= 1e-5 * max(whole, 1e-3) && whole > 0)
            #expect(sensitivity.loss(component, prior: 1) == points.whole)
            #expect(sensitivity.loss(component, prior: 0) == 0)
            let values = stride(from: 0, through: 1, by: 0.05).map {
                sensitivity.loss(component, prior: $0)
            }
            #expect(zip(values, values.dropFirst()).allSatisfy { $0 < $1 })
        }
        #expect(sensitivity.loss(Component(layer: 99, kind: .attention), prior: 1) == 0)
        let data = try JSONEncoder().encode(sensitivity)
        #expect(try JSONDecoder().decode(Sensitivity.self, from: data) == sensitivity)
    }

    @Test("the power law goes through both points, within reason")
    func powerLaw() {
        let points = Sensitivity.Points(whole: 8, prior: 0.25, part: 0.5)
        #expect(abs(points.exponent - 2) < 1e-12)
        #expect(Sensitivity.Points(whole: 8, prior: 0.25, part: 7.9).exponent == 0.5)
        #expect(Sensitivity.Points(whole: 8, prior: 0.25, part: 1e-9).exponent == 3)
        for (whole, prior, part) in [(0.0, 0.5, 1.0), (1, 0.5, 0), (1, 1, 0), (1, 0, 1)] {
            #expect(Sensitivity.Points(whole: whole, prior: prior, part: part).exponent == 1)
        }
    }
}
