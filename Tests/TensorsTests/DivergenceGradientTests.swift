import Foundation
import Testing

@testable import Tensors

@Suite("Divergence gradients compared with f64")
struct DivergenceGradientTests {
    private func softmax(_ logits: [Double], _ temperature: Double) -> [Double] {
        let maximum = logits.max() ?? 0
        let powers = logits.map { exp(($0 - maximum) / temperature) }
        let sum = powers.reduce(0, +)
        return powers.map { $0 / sum }
    }

    private func divergence(_ p: [Double], _ q: [Double]) -> Double {
        zip(p, q).reduce(0) { $0 + ($1.0 > 0 ? $1.0 * log($1.0 / $1.1) : 0) }
    }

    private func loss(
        _ own: [Double], _ given: [Double], _ temperature: Double, _ mixture: Double
    ) -> Double {
        let (q, p) = (softmax(own, temperature), softmax(given, temperature))
        let m = zip(p, q).map { mixture * $0 + (1 - mixture) * $1 }
        let sum =
            switch mixture {
            case 0: divergence(p, q)
            case 1: divergence(q, p)
            default: mixture * divergence(p, m) + (1 - mixture) * divergence(q, m)
            }
        return temperature * temperature * sum
    }

    @Test(
        "losses and gradients agree, also for probabilities that are nearly 1",
        arguments: [0, 0.25, 0.5, 0.9, 1], [(1.0, 3.0), (2.5, 3.0), (1.0, 40.0)])
    func slopes(mixture: Double, _ shape: (temperature: Double, spread: Double)) {
        let (temperature, spread) = shape
        let (rows, columns) = (5, 37)
        let own = Matrix<Float>(randomRows: rows, columns: columns, seed: 3).scaled(spread)
        let given = Matrix<Float>(randomRows: rows, columns: columns, seed: 4).scaled(spread)
        var gradient = Activations(own)
        let found = Engine(threads: 2).differentiateDivergence(
            &gradient, from: Activations(given), temperature: Float(temperature),
            mixture: Float(mixture), factor: 0.5)
        var sum = 0.0
        for row in 0..<rows {
            let (x, y) = (own.row(row).map(Double.init), given.row(row).map(Double.init))
            sum += loss(x, y, temperature, mixture)
            for column in 0..<columns {
                let wanted = [1e-5, -1e-5].map { step in
                    var moved = x
                    moved[column] += step
                    return loss(moved, y, temperature, mixture)
                }
                let slope = 0.5 * (wanted[0] - wanted[1]) / 2e-5
                let scale = 1e-4 + 1e-3 * abs(slope) + 2e-5 * spread
                #expect(abs(Double(gradient[row, column]) - slope) < scale)
            }
        }
        #expect(abs(found - sum) < 1e-4 * (1 + abs(sum)))
    }
}

extension Matrix<Float> {
    fileprivate func scaled(_ factor: Double) -> Matrix {
        Matrix(rows: rows, columns: columns, elements: elements.map { $0 * Float(factor) })
    }
}
