import Foundation
import Tensors
import Testing

@testable import Training

@Suite("Low-rank predictors")
struct LowRankDescentTests {
    private let engine = Engine(threads: 2)

    private func loss(
        _ down: Matrix<Float>, _ up: Matrix<Float>, _ x: Activations, _ values: Activations,
        _ thresholds: [Float], _ weight: Double
    ) -> Double {
        var sum = 0.0
        for row in 0..<x.rows {
            let hidden = (0..<down.rows).map { rank in
                zip(down.row(rank), x.row(row)).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            }
            for neuron in 0..<up.rows {
                let logit = zip(up.row(neuron), hidden).reduce(0.0) { $0 + Double($1.0) * $1.1 }
                let isNeeded = abs(values[row, neuron]) > thresholds[neuron]
                sum += isNeeded ? log(1 + exp(-logit)) : weight * log(1 + exp(logit))
            }
        }
        return sum / Double(x.rows)
    }

    @Test("gradients agree with finite differences")
    func gradients() {
        let x = Activations(Matrix(randomRows: 9, columns: 11, seed: 1))
        let values = Activations(Matrix(randomRows: 9, columns: 14, seed: 2))
        let thresholds = (0..<14).map { Float($0) / 40 }
        var descent = LowRankDescent(inputs: 11, neurons: 14, rank: 3, seed: 5, engine: engine)
        let (down, up) = descent.weights
        let found = descent.differentiate(x, values, above: thresholds, negativeWeight: 0.3)
        let weight = Double(Float(0.3))
        #expect(abs(found / loss(down, up, x, values, thresholds, weight) - 1) < 1e-5)
        let step: Float = 1e-3
        func check(_ gradient: Matrix<Float>, _ changed: (Int, Float) -> Double) {
            for index in stride(from: 0, to: gradient.elements.count, by: 5) {
                let slope = (changed(index, step) - changed(index, -step)) / Double(2 * step)
                #expect(abs(Double(gradient.elements[index]) - slope) < 1e-3 * (1 + abs(slope)))
            }
        }
        check(descent.down.weight.gradient) { index, step in
            var down = down
            down.elements[index] += step
            return loss(down, up, x, values, thresholds, weight)
        }
        check(descent.up.weight.gradient) { index, step in
            var up = up
            up.elements[index] += step
            return loss(down, up, x, values, thresholds, weight)
        }
    }

    @Test("a low-rank rule is learned and is correct for other tokens")
    func learnt() throws {
        // A token needs the neurons for which a product of rank 4 is positive.
        let (down, up) = (
            Matrix<Float>(randomRows: 4, columns: 24, seed: 1),
            Matrix<Float>(randomRows: 40, columns: 4, seed: 2)
        )
        func product(_ weight: Matrix<Float>, _ x: [Float]) -> [Float] {
            (0..<weight.rows).map { row in zip(weight.row(row), x).reduce(0) { $0 + $1.0 * $1.1 } }
        }
        func examples(_ seed: UInt64) -> (Activations, Activations) {
            var x = Matrix<Float>(randomRows: 1500, columns: 24, seed: seed)
            for index in x.elements.indices { x.elements[index] *= 5 }
            let values = (0..<x.rows).flatMap { row in
                product(up, product(down, Array(x.row(row)))).map { max($0, 0) }
            }
            return (
                Activations(x), Activations(Matrix(rows: 1500, columns: 40, elements: values))
            )
        }
        let (x, values) = examples(3)
        let thresholds = [Float](repeating: 0, count: 40)
        let found = try LowRankPredictor(
            fittedTo: x, values: values, above: thresholds, rank: 5, passes: 60, seed: 1,
            engine: engine)
        let (other, wanted) = examples(4)
        var (needed, named, both) = (0, 0, 0)
        for row in 0..<other.rows {
            let scores = product(found.up, product(found.down, Array(other.row(row))))
            for neuron in 0..<40 {
                let (isNeeded, isNamed) = (wanted[row, neuron] > 0, scores[neuron] > 0)
                needed += isNeeded ? 1 : 0
                named += isNamed ? 1 : 0
                both += isNeeded && isNamed ? 1 : 0
            }
        }
        #expect(Double(both) > 0.95 * Double(needed))
        #expect(Double(named) < 2 * Double(needed))
        #expect(Double(named) < 0.8 * Double(40 * other.rows))
    }
}
