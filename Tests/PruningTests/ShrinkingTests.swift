import Foundation
import Tensors
import TestSupport
import Testing
import Transformers

@testable import Pruning

@Suite("Shrinking")
struct ShrinkingTests {
    @Test(
        "an uncorrected shrunk model equals the dense model with removed units set to 0",
        arguments: TinyModel.names)
    func masking(name: String) throws {
        let (tiny, scratch) = (try TinyModel(name), try Scratch())
        let surgery = try tiny.surgery(in: scratch)
        let losses = try surgery.losses(order: .magnitude)
        for seed in 0..<6 as Range<UInt64> {
            let plan = tiny.randomPlan(seed: seed)
            let shrunk = ShrunkWeights(plan, losses: losses, surgery: surgery, order: .magnitude)
            #expect(shrunk.shape == tiny.shape.applying(plan))
            #expect(shrunk.kept.allSatisfy { $0.value.count == plan[$0.key].units })
            let model = try Model(shrunk)
            let masked = MaskedWeights(dense: tiny.checkpoint, kept: shrunk.kept)
            let want = tiny.output(of: try Model(masked))
            expectClose(tiny.output(of: model), want, absolute: 1e-4)
            #expect(want != tiny.output(of: tiny.model))
        }
        let full = Plan(keepingAllOf: tiny.shape)
        let same = ShrunkWeights(
            full, losses: losses, surgery: surgery, order: .optimalBrainSurgeon)
        for layer in tiny.shape.layers.indices {
            #expect(try same.layer(layer) == tiny.checkpoint.layer(layer))
        }
    }

    @Test(
        "the error of a component's output agrees with the loss table", arguments: TinyModel.names
    )
    func outputError(name: String) throws {
        let (tiny, scratch) = (try TinyModel(name), try Scratch())
        let damping = 0.02
        let surgery = try tiny.surgery(in: scratch, damping: damping)
        let losses = try surgery.losses(order: .optimalBrainSurgeon)
        let seen = tiny.observed()
        for component in tiny.components.prefix(4) {
            let removal = try #require(losses.components[component])
            let inputs = try #require(seen.inputs[component])
            let dense = try #require(
                try tiny.checkpoint.layer(component.layer).outputProjection(of: component.kind))
            let unit = inputs.columns / removal.units
            for level in Set([1, removal.units / 2, removal.units - 1]) {
                var plan = Plan(keepingAllOf: tiny.shape)
                plan[component].units = level
                let layer = try ShrunkWeights(
                    plan, losses: losses, surgery: surgery, order: .optimalBrainSurgeon
                ).layer(component.layer)
                let output = try #require(layer.outputProjection(of: component.kind))
                let columns = removal.kept(level).flatMap { $0 * unit..<($0 + 1) * unit }
                #expect(output.weight.columns == columns.count)
                var difference = dense.weight.elements.map(Double.init)
                for row in 0..<output.weight.rows {
                    for (place, column) in columns.enumerated() {
                        difference[row * inputs.columns + column] -= Double(
                            output.weight[row, place])
                    }
                }
                var diagonal = 0.0
                var error = 0.0
                for token in 0..<inputs.rows {
                    let x = inputs.row(token).map(Double.init)
                    diagonal += x.reduce(0) { $0 + $1 * $1 }
                    for row in 0..<dense.weight.rows {
                        var sum = Double(dense.bias?[row] ?? 0) - Double(output.bias?[row] ?? 0)
                        for column in x.indices {
                            sum += difference[row * x.count + column] * x[column]
                        }
                        error += sum * sum
                    }
                }
                let tokens = Double(inputs.rows)
                let added = damping * diagonal / tokens / Double(inputs.columns)
                let want = error / tokens + added * difference.reduce(0) { $0 + $1 * $1 }
                let got = removal.removal.errors[level]
                #expect(abs(got - want) <= 1e-4 * want + 1e-7 * removal.norm)
            }
        }
    }

    @Test("layers of models fulfil the identities of the method", arguments: TinyModel.names)
    func identities(name: String) throws {
        let (tiny, scratch) = (try TinyModel(name), try Scratch())
        let surgery = try tiny.surgery(in: scratch)
        let file = try CalibrationFile(path: scratch.path("moments.safetensors"))
        let losses = try surgery.losses(order: .optimalBrainSurgeon)
        for component in tiny.components.suffix(2) {
            let hasBias = !tiny.biased.isEmpty
            let removal = try #require(losses.components[component])
            let dense = try #require(
                try tiny.checkpoint.layer(component.layer).outputProjection(of: component.kind))
            let unitSize = dense.weight.columns / removal.units
            var layer = ReferenceLayer(
                outputs: 1, units: 1, unitSize: unitSize, samples: 1, bias: hasBias, seed: 0)
            layer.hessian = try file.hessian(of: component, withOnes: hasBias)
            layer.weight = dense.weight
            if let bias = dense.bias {
                layer.weight = Matrix(
                    rows: dense.weight.rows, columns: dense.weight.columns + 1,
                    elements: (0..<dense.weight.rows).flatMap { dense.weight.row($0) + [bias[$0]] })
            }
            for level in Set([1, removal.units / 4, removal.units / 2]) where level > 0 {
                let kept = removal.kept(level)
                let fit = layer.fit(kept)
                let error = layer.error(fit)
                #expect(abs(removal.removal.errors[level] - error) <= 1e-6 * error)
                let refit = try surgery.projection(
                    of: component, from: dense, keeping: kept, correction: .leastSquares)
                let columns = layer.columns(kept).filter { $0 < dense.weight.columns }
                expectClose(
                    refit.weight.elements.map(Double.init),
                    fit.selecting(columns: columns).elements, absolute: 1e-5, relative: 1e-5)
                if let bias = refit.bias {
                    expectClose(
                        bias.map(Double.init), (0..<fit.rows).map { fit[$0, fit.columns - 1] },
                        absolute: 1e-5, relative: 1e-5)
                }
            }
        }
    }

    @Test(
        "corrected weights have a lower divergence than uncorrected weights",
        arguments: TinyModel.names)
    func correctionHelps(name: String) throws {
        let (tiny, scratch) = (try TinyModel(name, tokens: 2048), try Scratch())
        let surgery = try tiny.surgery(in: scratch)
        let losses = try surgery.losses(order: .optimalBrainSurgeon)
        let divergence = ModelDivergence(
            from: tiny.model, on: TokenBatch(tiny.text.heldOut), engine: tiny.engine)
        #expect(abs(divergence.of(tiny.model)) < 1e-6)
        var plan = Plan(keepingAllOf: tiny.shape)
        for layer in plan.feedForward.indices { plan.feedForward[layer] /= 2 }
        plan.attention[1] /= 2
        func done(_ order: Surgery.Order) throws -> Double {
            divergence.of(
                try Model(
                    ShrunkWeights(plan, losses: losses, surgery: surgery, order: order)))
        }
        let (silenced, corrected) = (try done(.magnitude), try done(.optimalBrainSurgeon))
        #expect(corrected > 0 && corrected < 0.8 * silenced, "\(corrected) \(silenced)")
        #expect(try done(.magnitude) == silenced, "the same order gave another result")
    }

    @Test(
        "the bias replaces the mean of the units with the lowest variance",
        arguments: TinyModel.names)
    func fluctuation(name: String) throws {
        let (tiny, scratch) = (try TinyModel(name), try Scratch())
        let surgery = try tiny.surgery(in: scratch, damping: 1e-6)
        let losses = try surgery.losses(order: .fluctuation)
        let seen = tiny.observed()
        for component in tiny.components.suffix(2) {
            let known = try #require(losses.components[component])
            let inputs = try #require(seen.inputs[component])
            let dense = try #require(
                try tiny.checkpoint.layer(component.layer).outputProjection(of: component.kind))
            let kept = known.kept(known.units / 2)
            let cut = try surgery.projection(
                of: component, from: dense, keeping: kept, correction: .bias)
            let size = dense.weight.columns / known.units
            let columns = kept.flatMap { $0 * size..<($0 + 1) * size }
            #expect(cut.weight == dense.weight.selecting(columns: columns))
            // The mean of each output is the dense mean. The squared deviation is the table's
            // error.
            let bias = try #require(cut.bias)
            var error = 0.0
            for output in 0..<dense.weight.rows {
                var (sum, squares) = (0.0, 0.0)
                for row in 0..<inputs.rows {
                    let x = inputs.row(row)
                    var difference = Double(bias[output] - (dense.bias?[output] ?? 0))
                    for column in 0..<inputs.columns where !columns.contains(column) {
                        difference -=
                            Double(dense.weight[output, column]) * Double(x[x.startIndex + column])
                    }
                    sum += difference
                    squares += difference * difference
                }
                #expect(abs(sum / Double(inputs.rows)) < 1e-4)
                error += squares / Double(inputs.rows)
            }
            let told = known.removal.errors[known.units / 2]
            #expect(abs(told - error) < 1e-3 * error, "\(told) \(error)")
        }
    }

    @Test("magnitude and random orders contain all units, and the seed sets the random order")
    func otherOrders() throws {
        let (tiny, scratch) = (try TinyModel("tiny-llama", tokens: 200), try Scratch())
        let surgery = try tiny.surgery(in: scratch)
        let losses = try surgery.losses(order: .random(seed: 3))
        #expect(try surgery.losses(order: .random(seed: 3)) == losses)
        #expect(try surgery.losses(order: .random(seed: 4)) != losses)
        for component in tiny.components {
            let order = try #require(losses.components[component]).removal.order
            #expect(order.sorted() == Array(0..<tiny.shape.units(of: component)))
        }
    }
}
