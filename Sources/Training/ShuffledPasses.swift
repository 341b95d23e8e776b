internal import Foundation
internal import Tensors

/// Goes over examples again and again in random order, a few at a time.
struct ShuffledPasses {
    /// How often each example is seen.
    let passes: Int
    /// Into how many steps a pass is cut.
    let steps: Int

    /// Takes every step.
    ///
    /// - Parameters:
    ///   - order: The examples; left as the last pass had them.
    ///   - random: Decides the order.
    ///   - step: Called with the examples of a step, and the share of the rate that is left: it falls
    ///     to nothing along half a cosine wave.
    /// - Throws: What `step` throws.
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
