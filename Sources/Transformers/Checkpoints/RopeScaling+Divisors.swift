internal import Foundation
internal import ModelFiles

/// A GGUF file has of a scaling as in Llama 3.1 what it divides each frequency by, and perhaps how
/// many positions the model was first trained on.
extension RopeScaling {
    /// The scaling that has some divisors; nil where none has.
    ///
    /// Between slow and fast pairs `(1/d - 1/F) / (1 - 1/F)`, with d the divisor and F the factor, is
    /// a line over the frequencies, at 0 where a pair turns `low_freq_factor` times in the original
    /// positions, and at 1 where it turns `high_freq_factor` times. Divisors alone tell these three
    /// but for a common factor: the usual ones are taken where they fit.
    ///
    /// - Parameters:
    ///   - divisors: One for each pair, the fastest first.
    ///   - theta: The base of the frequencies.
    ///   - originalPositions: What the file says of the original positions.
    init?(divisors: [Float], theta: Double, originalPositions: Int?) {
        guard let greatest = divisors.max(), greatest.isFinite, greatest > 1 else { return nil }
        let factor = Double(greatest)
        let frequencies = ModelShape.unscaledFrequencies(ofPairs: divisors.count, theta: theta)
        func fits(_ scaling: RopeScaling, within tolerance: Double) -> Bool {
            zip(frequencies, divisors).allSatisfy { frequency, divisor in
                let own = scaling.divisor(of: frequency)
                return abs(Double(divisor) - own) <= tolerance * own
            }
        }
        let points = zip(frequencies, divisors).map { frequency, divisor in
            Point(
                frequency: frequency, share: (1 / Double(divisor) - 1 / factor) / (1 - 1 / factor))
        }
        let between = points.filter { $0.share > 1e-6 && $0.share < 1 - 1e-6 }
        let usual = RopeScaling(factor: factor)
        let known = originalPositions.flatMap { $0 > 0 ? $0 : nil }
        let steps = usual.fastTurns - usual.slowTurns
        let guesses =
            [known, usual.originalPositions].compactMap(\.self)
            + between.map { point in
                let turns = usual.slowTurns + point.share * steps
                return Int(exactly: (turns * 2 * .pi / point.frequency).rounded()) ?? 0
            }
        for guess in guesses where guess > 0 {
            let scaling = RopeScaling(factor: factor, originalPositions: guess)
            if fits(scaling, within: 1e-5) {
                self = scaling
                return
            }
        }
        // Where the line's two ends are not seen, the pairs next to it bound it.
        let slow = points.last { $0.share <= 1e-6 }
        let slowest = points.first { $0.share <= 1e-6 } ?? slow
        let fastest = points.last { $0.share >= 1 - 1e-6 }
        let seen = between.isEmpty ? [fastest, slowest].compactMap(\.self) : between
        guard let first = seen.first, let last = seen.last else { return nil }
        let slope =
            seen.count > 1
            ? first.slope(to: last)
            : [fastest, slowest].compactMap { $0?.slope(to: last) }.filter(\.isFinite).max()
                ?? 1 / last.frequency
        let zero = last.frequency - last.share / slope
        let positions = known ?? usual.originalPositions
        let turns = Double(positions) / (2 * .pi)
        guard slope > 0, slope.isFinite, zero > 0 else { return nil }
        self.init(
            factor: factor, slowTurns: zero * turns, fastTurns: (zero + 1 / slope) * turns,
            originalPositions: positions)
        guard fits(self, within: 1e-3) else { return nil }
    }
}

/// How near a pair of some frequency is to the fast ones, from 0 to 1.
private struct Point {
    let frequency: Double
    let share: Double

    func slope(to other: Point) -> Double {
        (share - other.share) / (frequency - other.frequency)
    }
}
