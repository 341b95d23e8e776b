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
        (variant.format ?? .f32).bits
    }

    func variants(of component: Component) -> [Variant] {
        [.f16, .int8].map { Variant(units: shape.units(of: component), format: $0) }
    }
}

/// Costs that are proportional to units and bits.
///
/// Half of the base is the output head.
private struct LeverTestCosts: CostModel {
    let shape: ModelShape
    let base = 2.0
    var hiddenSize: Int { shape.hiddenSize }
    var headFormats: [Precision] { [.int8] }

    func seconds(ofHeadIn format: Precision?) -> Double { format == nil ? 0 : -0.75 }

    func seconds(of component: Component, as variant: Variant) -> Double {
        Double(variant.units) * (variant.format ?? .f32).bits
            / Double(32 * shape.units(of: component))
    }

    func variants(of component: Component) -> [Variant] {
        let whole = shape.units(of: component)
        return [nil, .int8].flatMap { format in
            [whole, whole / 2].map { Variant(units: $0, format: format) }
        } + [.removed]
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
        let budget = space.denseSeconds - 2 * (Precision.f32.bits - Precision.int8.bits)
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

    @Test("a search limited to one lever changes only formats, or only units")
    func levers() throws {
        let shape = try TinyModel("tiny-llama").shape
        let costs = LeverTestCosts(shape: shape)
        let dense = Plan(keepingAllOf: shape)
        let space = SearchSpace(dense: dense, costs: costs)
        func plan(_ space: SearchSpace) throws -> Plan {
            let problem = space.problem(
                loss: { component, variant in
                    // Removing half of the units has the same loss as 8 bits.
                    Double(shape.units(of: component) - variant.units)
                        + (variant.format == nil ? 0 : Double(shape.units(of: component)) / 2)
                }, headLoss: { _ in 0.1 })
            return space.plan(
                try GreedySearch(problem).choice(within: space.denseSeconds * 0.7))
        }
        let formats = try plan(space.limited(to: .formats))
        #expect(formats.attention == dense.attention && formats.feedForward == dense.feedForward)
        #expect(formats.headFormat == .int8)
        #expect(formats.components.contains { formats[$0].format == .int8 })
        let units = try plan(space.limited(to: .units))
        #expect(units.headFormat == nil && units.components.allSatisfy { units[$0].format == nil })
        #expect(units != dense)
        let both = try plan(space)
        #expect(space.seconds(of: both) <= space.denseSeconds * 0.7)
        #expect(both.headFormat == .int8)
    }

    @Test("the loss of a component's format is the divergence of the model with that format")
    func damage() throws {
        let tiny = try TinyModel("tiny-llama")
        let batch = TokenBatch(Array(tiny.text.calibration.prefix(4)))
        let bytes = try Model(tiny.checkpoint, precision: .int8)
        let divergence = ModelDivergence(from: tiny.model, on: batch, engine: tiny.engine)
        let damage = try FormatDamage(
            of: [.f32: tiny.model, .int8: bytes], divergence: divergence)
        let plan = Plan(keepingAllOf: tiny.shape)
        var (sum, whole) = (0.0, plan)
        for component in tiny.shape.components {
            let units = tiny.shape.units(of: component)
            let variant = Variant(units: units, format: .int8)
            sum += damage.divergence(of: component, as: variant, units: units)
            whole[component] = variant
            #expect(damage.divergence(of: component, as: Variant(units: units), units: units) == 0)
            let half = Variant(units: units / 2, format: .int8)
            #expect(
                damage.divergence(of: component, as: half, units: units)
                    <= damage.divergence(of: component, as: variant, units: units))
        }
        let formats = Formats(of: whole, otherwise: .f32)
        let want = divergence.of(try Model(tiny.checkpoint, formats: formats))
        #expect(want > 0)
        #expect(abs(sum / want - 1) < 0.01)
        var head = plan
        head.headFormat = .int8
        let headed = divergence.of(
            try Model(tiny.checkpoint, formats: Formats(of: head, otherwise: .f32)))
        #expect(damage.divergence(ofHeadIn: .int8) == headed)
        #expect(headed > 0)
    }

    @Test("the loss of a head in 4 bits is the divergence of the model with that head")
    func headDamage() throws {
        let tiny = try TinyModel("tiny-llama")
        let batch = TokenBatch(Array(tiny.text.calibration.prefix(4)))
        let divergence = ModelDivergence(from: tiny.model, on: batch, engine: tiny.engine)
        let weight = try HeadRounding.rounded(
            tiny.checkpoint.head().output ?? tiny.checkpoint.embeddings().tokens, to: .q40,
            inputsFrom: tiny.model, on: [batch], engine: tiny.engine)
        let head = tiny.model.replacingHead(by: weight.values, in: .int4)
        let damage = try FormatDamage(
            of: [.f32: tiny.model, .int4: try Model(tiny.checkpoint, precision: .int4)],
            heads: [.int4: head], divergence: divergence)
        #expect(damage.divergence(ofHeadIn: .int4) == divergence.of(head))
        #expect(damage.divergence(ofHeadIn: .int4) > 0)
        let without = try FormatDamage(
            of: [.f32: tiny.model, .int4: try Model(tiny.checkpoint, precision: .int4)],
            divergence: divergence)
        #expect(without.divergence(ofHeadIn: .int4) == 0)
    }

    @Test(
        "a model in 4 bits is packed from rounded weights, also if its inputs do not fill groups",
        arguments: TinyModel.names)
    func fourBits(name: String) throws {
        let tiny = try TinyModel(name)
        let formats = Formats(uniform: .int4, layers: tiny.shape.layers.count)
        let rounded = FormattedWeights(tiny.checkpoint, formats: formats)
        let output = tiny.output(of: try Model(rounded, formats: formats))
        #expect(output.allSatisfy(\.isFinite) && output != tiny.output(of: tiny.model))
    }

    @Test("a model made from models of two formats equals a model that is packed in these formats")
    func choosing() throws {
        let tiny = try TinyModel("tiny-llama")
        var plan = Plan(keepingAllOf: tiny.shape)
        plan[Component(layer: 0, kind: .attention)].format = .int8
        plan[Component(layer: 1, kind: .feedForward)].format = .int8
        plan.headFormat = .int8
        let formats = Formats(of: plan, otherwise: .f32)
        let chosen = Model(
            choosingFrom: [
                .f32: tiny.model, .int8: try Model(tiny.checkpoint, precision: .int8),
            ], formats: formats)
        let packed = try Model(tiny.checkpoint, formats: formats)
        let batch = TokenBatch(Array(tiny.text.heldOut.prefix(2)))
        var (one, other) = (
            ForwardPass(chosen, on: tiny.engine), ForwardPass(packed, on: tiny.engine)
        )
        #expect(one.hiddenStates(of: batch).matrix == other.hiddenStates(of: batch).matrix)
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
