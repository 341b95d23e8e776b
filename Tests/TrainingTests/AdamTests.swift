import Tensors
import Testing

@testable import Training

@Suite("Adam")
struct AdamTests {
    @Test(
        "steps agree with the paper's algorithm, also for weights whose gradient is long 0",
        arguments: [1, 3])
    func algorithm(threads: Int) {
        let pool = ThreadPool(threads: threads)
        var random = SplitMix64(seed: 3)
        let count = 700
        var weights = (0..<count).map { _ in Float.random(in: -1...1, using: &random) }
        var wanted = weights.map(Double.init)
        var (means, squares) = (wanted.map { _ in 0.0 }, wanted.map { _ in 0.0 })
        var adam = Adam(count: count)
        for step in 1...9 {
            let gradient = (0..<count).map { index in
                let rests = index < 300 && step < 4 || index >= 600
                return rests ? 0 : Float.random(in: -2...1, using: &random)
            }
            var forgotten = gradient
            adam.step(&weights, against: &forgotten, rate: 0.1, decay: 0.02, pool: pool)
            #expect(forgotten.allSatisfy { $0 == 0 })
            var (meanPower, squarePower) = (1.0, 1.0)
            for _ in 0..<step { (meanPower, squarePower) = (meanPower * 0.9, squarePower * 0.999) }
            for index in 0..<count {
                let slope = Double(gradient[index])
                means[index] = 0.9 * means[index] + 0.1 * slope
                squares[index] = 0.999 * squares[index] + 0.001 * slope * slope
                let mean = means[index] / (1 - meanPower)
                let square = squares[index] / (1 - squarePower)
                wanted[index] *= 1 - 0.1 * 0.02
                wanted[index] -= 0.1 * mean / (square.squareRoot() + 1e-8)
            }
        }
        for (found, wanted) in zip(weights, wanted) { #expect(abs(Double(found) - wanted) < 2e-5) }
    }

    @Test("the minimum of a quadratic is found")
    func quadratic() {
        let pool = ThreadPool(threads: 1)
        var weights: [Float] = [3, -2, 0.5]
        let minimum: [Float] = [1, 1, -1]
        var adam = Adam(count: 3)
        for step in 0..<600 {
            var gradient = zip(weights, minimum).map { 2 * ($0 - $1) }
            adam.step(
                &weights, against: &gradient, rate: 0.05 * Float(600 - step) / 600, pool: pool)
        }
        for (found, wanted) in zip(weights, minimum) { #expect(abs(found - wanted) < 1e-3) }
    }
}
