import Tensors
import TestSupport
import Testing
import Transformers

@testable import Pruning

@Suite("Rounding in the sweep of a refit")
struct RefitRoundingTests {
    /// A plan that removes units and stores most components in 4 bits.
    ///
    /// The first attention block has no format, the last feed-forward block has 8 bits.
    private func plan(_ tiny: TinyModel) -> Plan {
        var plan = Plan(keepingAllOf: tiny.shape)
        plan[Component(layer: 1, kind: .feedForward)].units = 64
        plan[Component(layer: 2, kind: .attention)].units = 1
        plan[Component(layer: 2, kind: .feedForward)] = .removed
        for component in tiny.components
        where (plan[component].units * tiny.shape.unitSize(of: component)) % 32 == 0 {
            plan[component].format = .int4
        }
        plan[Component(layer: 0, kind: .attention)].format = nil
        let last = Component(layer: tiny.shape.layers.count - 1, kind: .feedForward)
        plan[last].format = .int8
        return plan
    }

    private func refitted(
        _ tiny: TinyModel, threads: Int = 2, passes: Int = 0, rounds: Bool = true
    ) throws -> ShrunkWeights {
        let scratch = try Scratch()
        let surgery = try tiny.surgery(in: scratch)
        let weights = ShrunkWeights(
            plan(tiny), losses: try surgery.losses(order: .optimalBrainSurgeon), surgery: surgery,
            order: .optimalBrainSurgeon)
        return try [weights].refitted(
            on: batches(of: tiny.text.calibration, tokens: 512), passes: passes,
            format: rounds ? .f32 : nil, engine: Engine(threads: threads))[0]
    }

    private func model(_ weights: ShrunkWeights) throws -> Model {
        let formats = Formats(of: weights.plan, otherwise: .f32)
        return try Model(FormattedWeights(weights, formats: formats), formats: formats)
    }

    @Test(
        "the projections of components in 4 bits have codes, and the others none",
        arguments: [0, 2])
    func codes(passes: Int) throws {
        let tiny = try TinyModel("tiny-llama")
        let weights = try refitted(tiny, passes: passes)
        let formats = Formats(of: weights.plan, otherwise: .f32)
        let written = FormattedWeights(weights, formats: formats)
        for component in tiny.components where !weights.plan[component].isRemoved {
            let layer = try weights.layer(component.layer)
            let output = try #require(layer[outputOf: component.kind])
            let units = weights.plan[component].units
            #expect(
                output.weight.columns
                    == units * tiny.shape.unitSize(of: component))
            let projections = layer[inputsOf: component.kind] + [output]
            let isRounded = weights.plan[component].format == .int4
            #expect(projections.allSatisfy { ($0.codes?.grid == .q40) == isRounded })
            guard isRounded else { continue }
            // Writing the model changes no code.
            let again = try written.layer(component.layer)
            #expect(
                again[inputsOf: component.kind] + [again[outputOf: component.kind]!] == projections)
        }
    }

    @Test("the result does not depend on the number of threads")
    func threads() throws {
        let tiny = try TinyModel("tiny-llama")
        let (one, three) = (try refitted(tiny, threads: 1), try refitted(tiny, threads: 3))
        for layer in tiny.shape.layers.indices {
            let (a, b) = (try one.layer(layer), try three.layer(layer))
            #expect(a == b, "layer \(layer)")
        }
    }

    @Test("the predictions are closer to the dense model than with rounding to nearest")
    func divergence() throws {
        let tiny = try TinyModel("tiny-llama", tokens: 4096)
        let batch = TokenBatch(tiny.text.calibration)
        let divergence = ModelDivergence(from: tiny.model, on: batch, engine: tiny.engine)
        let nearest = divergence.of(try model(refitted(tiny, rounds: false)))
        let rounded = divergence.of(try model(refitted(tiny)))
        #expect(rounded < nearest)
    }
}
