internal import Foundation
internal import Tensors

/// Passes over examples in random order, in small batches.
struct ShuffledPasses {
    /// The number of times that each example is used.
    let passes: Int
    /// The number of steps in a pass.
    let steps: Int

    /// Runs all steps.
    ///
    /// - Parameters:
    ///   - order: The indices of the examples. Afterwards they are in the order of the last pass.
    ///   - random: The random generator for the order.
    ///   - step: Called with the examples of a step and the current fraction of the learning rate.
    ///     The fraction falls from 1 to 0 along half a cosine wave.
    /// - Throws: Any error that `step` throws.
    func run(
        over order: inout [Int], using random: inout SplitMix64,
        _ step: (ArraySlice<Int>, Float) throws -> Void
    ) rethrows {
        for done in 0..<passes * steps {
            let place = done % steps
            if place == 0 { order.shuffle(using: &random) }
            let left = 0.5 + 0.5 * cos(Float.pi * Float(done) / Float(passes * steps))
            try step(
                order[order.count * place / steps..<order.count * (place + 1) / steps], left)
        }
    }
}
