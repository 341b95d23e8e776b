import CKernels
import Foundation
import TestSupport
import Testing

@testable import Tensors

@Suite("Neurons that a predictor selects")
struct NeuronKernelTests {
    private let inputs = 52
    private let outputs = 37

    private func incoming(_ activation: Epilogue, _ neurons: Int) -> [Matrix<Float>] {
        (0..<(activation.isGated ? 2 : 1)).map {
            Matrix(randomRows: neurons, columns: inputs, seed: UInt64(20 + $0))
        }
    }

    private func predictor(
        _ activation: Epilogue, _ neurons: Int, _ way: Way, _ precision: Precision = .f32,
        above thresholds: [Float]
    ) -> NeuronPredictor {
        let weights = incoming(activation, neurons)
        return switch way {
        case .coarse:
            NeuronPredictor(
                roundingTo4Bits: weights, biases: weights.map { _ in nil }, activation: activation,
                fineInputs: [3, 40], above: thresholds)
        case .gate:
            NeuronPredictor(
                gate: weights[0], bias: nil, activation: activation, precision: precision,
                above: thresholds)
        case .lowRank:
            NeuronPredictor(
                down: Matrix(randomRows: 6, columns: inputs, seed: 30),
                up: Matrix(randomRows: neurons, columns: 6, seed: 31), above: thresholds)
        }
    }

    private enum Way { case coarse, gate, lowRank }

    private func x(rows: Int) -> Activations {
        Activations(
            Matrix(rows: rows, columns: inputs, elements: randomFloats(rows * inputs, seed: 9)))
    }

    @Test("products of a few rows and a vector agree with the definition", arguments: floatTables)
    func products(table: FloatTable) {
        for (width, count) in [(1, 1), (16, 4), (33, 7), (100, 5), (576, 9)] {
            let rows = randomFloats(20 * width, seed: 1)
            let vector = randomFloats(width, seed: 2)
            let places = (0..<count).map { UInt32($0 * 7 % 20) }
            var products = [Float](repeating: 42, count: count + 1)
            table.kernels.formats.f32.dot_rows(
                rows, width * 4, places, count, vector, width, &products)
            #expect(products[count] == 42, "wrote past the products")
            for (place, product) in zip(places, products) {
                let row = rows[Int(place) * width..<(Int(place) + 1) * width]
                let want = zip(row, vector).reduce(0) { $0 + Double($1.0) * Double($1.1) }
                #expect(abs(Double(product) - want) <= 1e-5 * Double(width).squareRoot())
            }
        }
    }

    @Test("scores agree with the rounded or trained weights", arguments: [1, 3])
    func scores(threads: Int) {
        let engine = Engine(threads: threads)
        let neurons = 70
        let thresholds = [Float](repeating: 0, count: neurons)
        let x = x(rows: 4)
        var found = Activations()
        engine.predict(x, predictor(.relu, neurons, .lowRank, above: thresholds), into: &found)
        let (down, up) = (
            Matrix<Float>(randomRows: 6, columns: inputs, seed: 30),
            Matrix<Float>(randomRows: neurons, columns: 6, seed: 31)
        )
        for row in 0..<4 {
            let hidden = (0..<6).map { rank in
                zip(down.row(rank), x.row(row)).reduce(0) { $0 + $1.0 * $1.1 }
            }
            let size = hidden.reduce(0) { $0 + abs($1) }
            for neuron in 0..<neurons {
                let want = zip(up.row(neuron), hidden).reduce(0) { $0 + $1.0 * $1.1 }
                #expect(abs(found[row, neuron] - want) <= 0.02 * size)
            }
        }
        // The error of a 4-bit weight is at most a fourteenth of the largest weight.
        engine.predict(x, predictor(.relu, neurons, .coarse, above: thresholds), into: &found)
        let weights = incoming(.relu, neurons)[0]
        for row in 0..<4 {
            for neuron in 0..<neurons {
                let terms = zip(weights.row(neuron), x.row(row))
                let maximum = weights.row(neuron).reduce(0) { max($0, abs($1)) }
                let want = terms.reduce(0) { $0 + $1.0 * $1.1 }
                let room = x.row(row).reduce(0) { $0 + abs($1) } * maximum * (1 / 14 + 1 / 100)
                #expect(abs(found[row, neuron] - want) <= room)
            }
        }
    }

    @Test(
        "the output of a block is the sum over the selected neurons", arguments: Precision.allCases,
        [Epilogue.swiglu, .relu, .tanhGELU, .gatedTanhGELU])
    func block(precision: Precision, activation: Epilogue) {
        for (neurons, threads, way) in [
            (96, 2, Way.coarse), (70, 3, .lowRank), (5, 2, .coarse), (70, 2, .gate),
        ] where way != .gate || activation.isGated {
            let engine = Engine(threads: threads)
            let weights = incoming(activation, neurons)
            let down = Matrix<Float>(randomRows: outputs, columns: neurons, seed: 40)
            let biases: [[Float]?] = weights.indices.map {
                $0 == 0 ? nil : randomFloats(neurons, seed: 50)
            }
            let thresholds = randomFloats(neurons, seed: 51).map { abs($0) / 10 }
            let bounds = randomFloats(neurons, seed: 52).map {
                activation == .relu ? $0 : abs($0) / 4
            }
            let block = PredictedFeedForward(
                from: weights, biases: biases, activation: activation, to: down,
                outputBias: randomFloats(outputs, seed: 53), precision: precision,
                predictor: predictor(activation, neurons, way, precision, above: bounds),
                above: thresholds)
            let x = x(rows: 1)
            var scores = Activations()
            engine.predict(x, block.predictor, into: &scores)
            let named = (0..<neurons).filter { scores[0, $0] > bounds[$0] }
            #expect(named.count > 0 && (named.count < neurons || neurons < 32))
            var y = Activations(rows: 1, columns: outputs, repeating: 0.5)
            #expect(engine.addFeedForward(of: x, block, to: &y) == named.count)

            func product(_ part: Int, _ neuron: Int) -> Double {
                zip(weights[part].row(neuron), x.row(0)).reduce(
                    Double(biases[part]?[neuron] ?? 0)
                ) { $0 + Double($1.0) * Double($1.1) }
            }
            var want = randomFloats(outputs, seed: 53).map { Double($0) + 0.5 }
            for neuron in named {
                let value =
                    activated(product(0, neuron), activation.kernel)
                    * (activation.isGated ? product(1, neuron) : 1)
                guard abs(value) > Double(thresholds[neuron]) else { continue }
                for output in 0..<outputs { want[output] += value * Double(down[output, neuron]) }
            }
            let room = precision == .f32 ? 1e-4 : precision == .f16 ? 0.02 : 0.1
            expectClose(y.row(0).map(Double.init), want, absolute: room)

            // Several tokens together give the same results as each token alone.
            let several = self.x(rows: 3)
            var together = Activations(rows: 3, columns: outputs, repeating: 0.5)
            engine.addFeedForward(of: several, block, to: &together)
            for row in 0..<3 {
                var alone = Activations(rows: 1, columns: outputs, repeating: 0.5)
                engine.addFeedForward(
                    of: engine.selecting(rows: [row], of: several), block, to: &alone)
                expectClose(Array(together.row(row)), Array(alone.row(0)), absolute: 1e-5)
            }
        }
    }

    @Test("clearing keeps only the selected neurons")
    func clearing() {
        let (engine, neurons) = (Engine(threads: 2), 70)
        let thresholds = randomFloats(neurons, seed: 60)
        let predictor = predictor(.relu, neurons, .coarse, above: thresholds)
        var (scores, values) = (Activations(), Activations(rows: 3, columns: neurons, repeating: 1))
        engine.predict(x(rows: 3), predictor, into: &scores)
        engine.clear(&values, exceptPredictedFrom: x(rows: 3), predictor)
        for row in 0..<3 {
            for neuron in 0..<neurons {
                #expect(values[row, neuron] == (scores[row, neuron] > thresholds[neuron] ? 1 : 0))
            }
        }
    }
}
