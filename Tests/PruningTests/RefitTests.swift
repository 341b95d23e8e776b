import Tensors
import TestSupport
import Testing
import Transformers

@testable import Pruning

@Suite("Refit on the inputs of the shrunk model")
struct RefitTests {
    /// A forward pass over the calibration text, one residual branch at a time.
    private struct Walk {
        var inputs: [Component: Activations] = [:]
        var outputs: [Component: Activations] = [:]
        var entering: [Component: Activations] = [:]
        var last = Activations()

        init(_ model: Model, _ tiny: TinyModel, _ batch: TokenBatch) {
            var pass = ForwardPass(model, on: tiny.engine)
            var stream = pass.embedded(batch)
            for component in tiny.components.sorted() {
                entering[component] = stream
                let inputs = pass.inputs(of: component, in: batch, entering: stream)
                let output = inputs.flatMap { pass.output(of: component, from: $0) }
                self.inputs[component] = inputs
                outputs[component] = output
                stream = pass.stream(after: component, entering: stream, adding: output)
            }
            last = stream
        }
    }

    private let damping = 0.02

    private func shrunk(
        _ tiny: TinyModel, _ plan: Plan, in scratch: Scratch
    ) throws -> ShrunkWeights {
        let surgery = try tiny.surgery(in: scratch, damping: damping)
        return ShrunkWeights(
            plan, losses: try surgery.losses(order: .optimalBrainSurgeon), surgery: surgery,
            order: .optimalBrainSurgeon)
    }

    @Test("a pass branch by branch equals a full forward pass", arguments: TinyModel.names)
    func branches(name: String) throws {
        let tiny = try TinyModel(name)
        let walk = Walk(tiny.model, tiny, TokenBatch(tiny.text.calibration))
        let seen = tiny.observed()
        for component in tiny.components {
            #expect(walk.inputs[component]?.matrix == seen.inputs[component])
        }
        expectClose(
            walk.last.matrix.elements, try #require(seen.streams.last).elements, absolute: 1e-5)
    }

    @Test("a refit without removed units changes nothing", arguments: TinyModel.names)
    func whole(name: String) throws {
        let (tiny, scratch) = (try TinyModel(name), try Scratch())
        let weights = try [shrunk(tiny, Plan(keepingAllOf: tiny.shape), in: scratch)].refitted(
            on: [TokenBatch(tiny.text.calibration)], engine: tiny.engine)[0]
        expectClose(
            tiny.output(of: try Model(weights)), tiny.output(of: tiny.model), absolute: 1e-3)
    }

    @Test("every refitted projection is the least-squares fit", arguments: TinyModel.names)
    func stationary(name: String) throws {
        let (tiny, scratch) = (try TinyModel(name, tokens: 512), try Scratch())
        let plan = tiny.randomPlan(seed: 4)
        let before = try shrunk(tiny, plan, in: scratch)
        var calls: [Int] = []
        let after = try [before].refitted(
            on: batches(of: tiny.text.calibration, tokens: 300), passes: 0, engine: tiny.engine
        ) { calls.append($0) }[0]
        #expect(Set(calls) == Set(0...tiny.components.count) && calls == calls.sorted())
        let batch = TokenBatch(tiny.text.calibration)
        let dense = Walk(tiny.model, tiny, batch)
        let own = Walk(try Model(after), tiny, batch)
        for component in tiny.components where plan[component] != .removed {
            let first = try #require(
                try tiny.checkpoint.layer(component.layer).outputProjection(of: component.kind))
            let units = try #require(after.kept[component])
            #expect(units.count == plan[component].units)
            let size = first.weight.columns / tiny.shape.units(of: component)
            let columns = units.flatMap { $0 * size..<($0 + 1) * size }
            let center = first.weight.selecting(columns: columns)
            let seen = try #require(dense.inputs[component]).matrix
            let all = try #require(dense.outputs[component]).matrix
            let fit = try #require(
                try after.layer(component.layer).outputProjection(of: component.kind))
            let inputs = try #require(own.inputs[component]).matrix
            let output = try #require(own.outputs[component]).matrix
            let wanted = try #require(dense.outputs[component]).matrix
            let (stream, mine) = (
                try #require(dense.entering[component]).matrix,
                try #require(own.entering[component]).matrix
            )
            let uncut = try #require(
                try ownUncut(after, component, tiny, batch, entering: own.entering[component]))
            func power(_ x: Matrix<Float>) -> Double {
                x.elements.reduce(0) { $0 + Double($1) * Double($1) }
                    / Double(x.rows * x.columns)
            }
            let share = Surgery.denseShare
            let ridge = damping * (power(uncut) + share * power(seen))
            // The gradient of an output's error with respect to each weight is 0.
            for row in stride(from: 0, to: fit.weight.rows, by: 31) {
                var total = 0.0
                var gradient = (0..<inputs.columns).map {
                    ridge * Double(fit.weight[row, $0] - center[row, $0])
                }
                for token in 0..<inputs.rows {
                    let error =
                        Double(output[token, row] - wanted[token, row])
                        - 0.5 * Double(stream[token, row] - mine[token, row])
                    var change = Double((fit.bias?[row] ?? 0) - all[token, row])
                    for (place, column) in columns.enumerated() {
                        change += Double(fit.weight[row, place]) * Double(seen[token, column])
                    }
                    for (place, column) in columns.enumerated() {
                        let input = Double(inputs[token, place]) / Double(inputs.rows)
                        let other = Double(seen[token, column]) / Double(inputs.rows)
                        gradient[place] += error * input + share * change * other
                        total += abs(Double(output[token, row]) * input)
                    }
                }
                let worst = gradient.map(abs).max() ?? 0
                #expect(worst <= 1e-4 * total / Double(inputs.columns))
            }
        }
    }

    /// Returns the inputs of all units of a component in a model that keeps some of the units.
    private func ownUncut(
        _ weights: ShrunkWeights, _ component: Component, _ tiny: TinyModel, _ batch: TokenBatch,
        entering: Activations?
    ) throws -> Matrix<Float>? {
        var layer = try weights.layer(component.layer)
        let dense = try tiny.checkpoint.layer(component.layer)
        var sizes = weights.shape.layers[component.layer]
        let full = tiny.shape.layers[component.layer]
        switch component.kind {
        case .attention:
            layer.attention = dense.attention
            (sizes.queryHeads, sizes.keyValueHeads) = (full.queryHeads, full.keyValueHeads)
        case .feedForward:
            layer.feedForward = dense.feedForward
            sizes.feedForward = full.feedForward
        }
        let model = try Model(weights).replacing(layer: component.layer, with: layer, sizes: sizes)
        var pass = ForwardPass(model, on: tiny.engine)
        return entering.flatMap { pass.inputs(of: component, in: batch, entering: $0)?.matrix }
    }

    @Test("a plan is refitted equally alone and in a family", arguments: TinyModel.names)
    func family(name: String) throws {
        let (tiny, scratch) = (try TinyModel(name), try Scratch())
        let batch = TokenBatch(tiny.text.calibration)
        let surgery = try tiny.surgery(in: scratch, damping: damping)
        let losses = try surgery.losses(order: .optimalBrainSurgeon)
        let family = (0..<3 as Range<UInt64>).map {
            ShrunkWeights(
                tiny.randomPlan(seed: $0), losses: losses, surgery: surgery,
                order: .optimalBrainSurgeon)
        }
        let together = try family.refitted(on: [batch], engine: tiny.engine)
        for (member, refitted) in zip(family, together) {
            let alone = try [member].refitted(on: [batch], engine: tiny.engine)[0]
            #expect(alone.kept == refitted.kept)
            for layer in tiny.shape.layers.indices {
                #expect(try alone.layer(layer) == refitted.layer(layer))
            }
        }
    }

    @Test("a refit reduces the divergence from the dense model", arguments: TinyModel.names)
    func divergence(name: String) throws {
        let (tiny, scratch) = (try TinyModel(name), try Scratch())
        let batch = TokenBatch(tiny.text.calibration)
        let divergence = ModelDivergence(from: tiny.model, on: batch, engine: tiny.engine)
        let surgery = try tiny.surgery(in: scratch, damping: damping)
        let losses = try surgery.losses(order: .optimalBrainSurgeon)
        let ratios = try (0..<3 as Range<UInt64>).map { seed in
            let before = ShrunkWeights(
                tiny.randomPlan(seed: seed), losses: losses, surgery: surgery,
                order: .optimalBrainSurgeon)
            let after = try [before].refitted(on: [batch], engine: tiny.engine)[0]
            return divergence.of(try Model(after)) / divergence.of(try Model(before))
        }
        #expect(ratios.sorted()[1] < 0.95, "\(ratios)")
    }

    @Test("a branch that the dense model lacks is skipped together with its norm")
    func lost() throws {
        let (tiny, scratch) = (try TinyModel("tiny-bert"), try Scratch())
        var plan = Plan(keepingAllOf: tiny.shape)
        plan.attention[1] = 0
        plan.feedForward[0] = 0
        let path = scratch.path("lost")
        try HuggingFaceDirectory.write(
            try shrunk(tiny, plan, in: scratch), like: tiny.checkpoint, to: path)
        let lost = try Checkpoint(path)
        let batch = TokenBatch(tiny.text.calibration)
        let moments = scratch.path("lost.safetensors")
        try CalibrationFile.write(
            try Calibration(lost, on: [batch], engine: tiny.engine), to: moments)
        let surgery = Surgery(
            lost, calibration: try CalibrationFile(path: moments), damping: damping,
            engine: tiny.engine)
        let losses = try surgery.losses(order: .optimalBrainSurgeon)
        let whole = ShrunkWeights(
            Plan(keepingAllOf: lost.shape), losses: losses, surgery: surgery,
            order: .optimalBrainSurgeon)
        let weights = try [whole].refitted(on: [batch], engine: tiny.engine)[0]
        // Nothing is removed, so the weights are fitted to their own outputs.
        expectClose(
            tiny.output(of: try Model(weights)), tiny.output(of: try Model(lost)), absolute: 1e-3)
        var shorter = Plan(keepingAllOf: lost.shape)
        shorter.feedForward[1] = 20
        let cut = try [
            ShrunkWeights(
                shorter, losses: losses, surgery: surgery, order: .optimalBrainSurgeon)
        ].refitted(on: [batch], engine: tiny.engine)[0]
        #expect(cut.shape.layers[0].feedForward == 0 && cut.shape.layers[1].feedForward == 20)
    }
}
