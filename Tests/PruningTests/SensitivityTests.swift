import Foundation
import Tensors
import Testing
import Transformers

@testable import Pruning

@Suite("Sensitivity")
struct SensitivityTests {
    @Test(
        "a point is the divergence of a model in which one component has the given level",
        arguments: TinyModel.names)
    func measured(name: String) throws {
        let (tiny, scratch) = (try TinyModel(name), try Scratch())
        let surgery = try tiny.surgery(in: scratch)
        let losses = try surgery.losses(order: .optimalBrainSurgeon)
        let divergence = ModelDivergence(
            from: tiny.model, on: TokenBatch(tiny.text.heldOut), engine: tiny.engine)
        #expect(abs(divergence.of(tiny.model)) < 1e-6)
        var calls: [Int] = []
        let sensitivity = try Sensitivity(losses: losses, surgery: surgery, divergence: divergence)
        {
            calls.append($0)
        }
        #expect(calls.last == tiny.components.count && calls == calls.sorted())
        #expect(Set(sensitivity.points.keys) == Set(tiny.components))
        let dense = Plan(keepingAllOf: tiny.shape)
        for component in tiny.components {
            let points = try #require(sensitivity.points[component])
            #expect(points.last?.prior == 1)
            var worst = 1e-9
            for point in points {
                let level = try #require(
                    (0..<dense[component].units).first {
                        losses.prior(of: component, keeping: $0) == point.prior
                    })
                var plan = dense
                plan[component].units = level
                let model = try Model(
                    ShrunkWeights(
                        plan, losses: losses, surgery: surgery, order: .optimalBrainSurgeon))
                let wanted = divergence.of(model)
                worst = max(worst, wanted)
                #expect(abs(point.divergence - worst) <= 1e-5 * max(worst, 1e-2))
                #expect(
                    sensitivity.divergence(of: component, prior: point.prior).isNear(
                        point.divergence))
            }
        }
        for layer in dense.attention.indices {
            var plan = dense
            (plan.attention[layer], plan.feedForward[layer]) = (0, 0)
            let model = try Model(
                ShrunkWeights(
                    plan, losses: losses, surgery: surgery, order: .optimalBrainSurgeon))
            let (known, wanted) = (try #require(sensitivity.layers[layer]), divergence.of(model))
            #expect(abs(known - wanted) <= 1e-5 * max(wanted, 1e-2))
        }
        let data = try JSONEncoder().encode(sensitivity)
        #expect(try JSONDecoder().decode(Sensitivity.self, from: data) == sensitivity)
    }

    @Test("divergence is a power of the prior between points, and proportional outside them")
    func interpolation() {
        let component = Component(layer: 0, kind: .feedForward)
        let sensitivity = Sensitivity([
            component: [
                .init(prior: 0.4, divergence: 0.16), .init(prior: 0.1, divergence: 0.01),
                .init(prior: 0.9, divergence: 0.12),
            ]
        ])
        func divergence(_ prior: Double) -> Double {
            sensitivity.divergence(of: component, prior: prior)
        }
        #expect(divergence(0) == 0)
        #expect(divergence(0.05).isNear(0.005))
        #expect(divergence(0.2).isNear(0.04))
        #expect(divergence(0.6).isNear(0.16))
        #expect(divergence(1).isNear(0.16 / 0.9))
        let other = Component(layer: 1, kind: .feedForward)
        #expect(sensitivity.divergence(of: other, prior: 0.3) == 0.3)
    }
}

extension Double {
    fileprivate func isNear(_ other: Double) -> Bool {
        abs(self - other) <= 1e-12 + 1e-9 * abs(other)
    }
}
