import Pruning
import Tensors
import Testing
import Transformers

/// The costs of components that keep all units: one second for each bit of a weight.
private struct FormatCosts: CostModel {
    let shape: ModelShape
    let base = 1.0
    var hiddenSize: Int { shape.hiddenSize }

    func seconds(of component: Component, as variant: Variant) -> Double {
        Double((variant.format ?? .f32).bits)
    }

    func variants(of component: Component) -> [Variant] {
        [.f16, .int8].map { Variant(units: shape.units(of: component), format: $0) }
    }
}

@Suite("Search over formats")
struct FormatSearchTests {
    @Test(
        "the model of the chosen plan computes each layer in its format",
        arguments: TinyModel.names)
    func layers(name: String) throws {
        let tiny = try TinyModel(name)
        let costs = FormatCosts(shape: tiny.shape)
        let space = SearchSpace(dense: Plan(keepingAllOf: tiny.shape), costs: costs)
        // Rounding increases the loss least in layer 1.
        let problem = space.problem { component, variant in
            (component.layer == 1 ? 0.1 : 1) * (32 - costs.seconds(of: component, as: variant))
        }
        let budget = space.denseSeconds - 2 * Double(Precision.f32.bits - Precision.int8.bits)
        let plan = space.plan(try GreedySearch(problem).choice(within: budget))
        let formats = Formats(of: plan, otherwise: .f32)
        var expected = Formats(uniform: .f32, layers: tiny.shape.layers.count)
        expected.layers[1] = Formats.Layer(attention: .int8, feedForward: .int8)
        #expect(formats == expected)
        #expect(plan.attention == Plan(keepingAllOf: tiny.shape).attention)

        let batch = TokenBatch(Array(tiny.text.heldOut.prefix(2)))
        var mixed = ForwardPass(try Model(tiny.checkpoint, formats: formats), on: tiny.engine)
        var floats = ForwardPass(tiny.model, on: tiny.engine)
        var bytes = ForwardPass(try Model(tiny.checkpoint, precision: .int8), on: tiny.engine)
        var stream = floats.stream(after: 0, of: batch, entering: floats.embedded(batch))
        stream = bytes.stream(after: 1, of: batch, entering: stream)
        let want = floats.hiddenStates(of: batch, from: 2, entering: stream).matrix
        #expect(mixed.hiddenStates(of: batch).matrix == want)
        #expect(floats.hiddenStates(of: batch).matrix != want)
    }

    @Test("plans that llama.cpp can load keep the formats")
    func loadable() throws {
        let shape = try TinyModel("tiny-llama").shape
        let costs = LoadableCosts(FormatCosts(shape: shape), for: .gguf)
        let variants = costs.variants(of: Component(layer: 0, kind: .feedForward))
        #expect(
            variants == [
                Variant(units: 96, format: .f16), Variant(units: 96, format: .int8),
                Variant(units: 32),
            ])
    }
}
