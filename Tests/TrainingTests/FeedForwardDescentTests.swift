import Foundation
import Tensors
import TestSupport
import Testing
import Transformers

@testable import Training

@Suite("Descent of a feed-forward block")
struct FeedForwardDescentTests {
    static let functions: [Epilogue] = [
        .swiglu, .gelu, .tanhGELU, .relu, .silu, .gatedGELU, .gatedTanhGELU, .gatedReLU,
    ]
    private let hidden = 21
    private let neurons = 13

    private func block(_ function: Epilogue, biased: Bool, seed: UInt64) -> FeedForwardWeights {
        func projection(_ rows: Int, _ columns: Int, _ seed: UInt64) -> Projection {
            Projection(
                weight: Matrix(randomRows: rows, columns: columns, seed: seed),
                bias: biased
                    ? Matrix<Float>(randomRows: 1, columns: rows, seed: seed + 50).elements : nil)
        }
        return FeedForwardWeights(
            gate: function.isGated ? projection(neurons, hidden, seed) : nil,
            up: projection(neurons, hidden, seed + 1), down: projection(hidden, neurons, seed + 2))
    }

    private func rows(_ count: Int, seed: UInt64) -> Activations {
        var values = Matrix<Float>(randomRows: count, columns: hidden, seed: seed)
        for index in values.elements.indices { values.elements[index] *= 4 }
        return Activations(values)
    }

    /// Computes the output of a block for one row, in f64.
    private func output(
        _ block: FeedForwardWeights, _ function: Epilogue, _ input: [Double]
    ) -> [Double] {
        func apply(_ projection: Projection, _ x: [Double]) -> [Double] {
            (0..<projection.weight.rows).map { row in
                zip(projection.weight.row(row), x).reduce(Double(projection.bias?[row] ?? 0)) {
                    $0 + Double($1.0) * $1.1
                }
            }
        }
        let up = apply(block.up, input)
        let active = (block.gate.map { apply($0, input) } ?? up).map { x in
            switch function {
            case .swiglu, .silu: x / (1 + exp(-x))
            case .gelu, .gatedGELU: x / 2 * (1 + erf(x / 2.0.squareRoot()))
            case .tanhGELU, .gatedTanhGELU:
                x / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
            default: max(x, 0)
            }
        }
        return apply(block.down, block.gate == nil ? active : zip(active, up).map(*))
    }

    private func error(
        _ block: FeedForwardWeights, _ function: Epilogue, on examples: Examples
    ) -> Double {
        (0..<examples.inputs.rows).reduce(0) { sum, row in
            let found = output(block, function, examples.inputs.row(row).map(Double.init))
            return zip(found, examples.targets.row(row)).reduce(sum) {
                $0 + ($1.0 - Double($1.1)) * ($1.0 - Double($1.1))
            }
        }
    }

    @Test("gradients agree with finite differences", arguments: functions, [false, true])
    func gradients(function: Epilogue, biased: Bool) {
        let block = block(function, biased: biased, seed: 7)
        let examples = Examples(inputs: rows(9, seed: 1), targets: rows(9, seed: 2))
        let engine = Engine(threads: 2)
        var descent = FeedForwardDescent(block, function: function, engine: engine)
        let wanted = error(block, function, on: examples)
        #expect(abs(descent.squaredError(on: examples) / wanted - 1) < 1e-5)
        descent.differentiate(on: examples)

        func check(
            _ gradient: Float, _ weight: WritableKeyPath<FeedForwardWeights, Float>
        ) {
            let step: Float = 1e-3
            var (above, below) = (block, block)
            above[keyPath: weight] += step
            below[keyPath: weight] -= step
            let width = Double(above[keyPath: weight] - below[keyPath: weight])
            let difference =
                (error(above, function, on: examples) - error(below, function, on: examples))
                / width / 2
            // If the step crosses 0 of a ReLU, the error of the difference is as large as the step.
            #expect(abs(Double(gradient) - difference) < 2e-2 + 2e-2 * abs(difference))
        }
        let (first, down) = (descent.first.weight.gradient, descent.down.weight.gradient)
        let gates = function.isGated ? neurons : 0
        for index in stride(from: 0, to: neurons * hidden, by: 5) {
            check(down.elements[index], \.down.weight.elements[index])
            check(first.elements[gates * hidden + index], \.up.weight.elements[index])
            if gates > 0 { check(first.elements[index], \.gate!.weight.elements[index]) }
        }
        guard biased else { return }
        let byFirst = engine.columnSums(descent.slope)
        let byDown = engine.columnSums(descent.error)
        for index in 0..<neurons {
            check(byFirst[gates + index], \.up.bias![index])
            if gates > 0 { check(byFirst[index], \.gate!.bias![index]) }
        }
        for index in 0..<hidden { check(byDown[index], \.down.bias![index]) }
    }

    @Test(
        "a trained block approximates another block, with any number of threads",
        arguments: functions)
    func learns(function: Epilogue) throws {
        let teacher = block(function, biased: true, seed: 1)
        let inputs = rows(2000, seed: 5)
        let outputs = (0..<inputs.rows).flatMap {
            output(teacher, function, inputs.row($0).map(Double.init)).map(Float.init)
        }
        let examples = Examples(
            inputs: inputs,
            targets: Activations(
                Matrix(rows: inputs.rows, columns: hidden, elements: outputs)))
        var start = teacher
        for index in stride(from: 0, to: neurons * hidden, by: 3) {
            start.up.weight.elements[index] += 0.05
            start.down.weight.elements[index] -= 0.05
        }
        let fits = try [1, 2, 3].map { threads in
            try start.fitted(
                to: examples, function: function, passes: 20, seed: 4,
                engine: Engine(threads: threads))
        }
        let before = error(start, function, on: examples)
        #expect(error(fits[0], function, on: examples) < 0.2 * before)
        #expect(fits[1] == fits[0] && fits[2] == fits[0])
    }

    @Test("training does not change a block whose loss is 0", arguments: functions)
    func stays(function: Epilogue) throws {
        let block = block(function, biased: false, seed: 1)
        let engine = Engine(threads: 1)
        let inputs = rows(400, seed: 5)
        var descent = FeedForwardDescent(block, function: function, engine: engine)
        var nothing = Activations(rows: 400, columns: hidden, repeating: 0)
        _ = descent.squaredError(on: Examples(inputs: inputs, targets: nothing))
        nothing = descent.error
        let fitted = try block.fitted(
            to: Examples(inputs: inputs, targets: nothing), function: function, passes: 3, seed: 1,
            engine: engine)
        #expect(fitted == block)
    }
}
