internal import Foundation
internal import ModelFiles

/// Recovers the scaling of Llama 3.1 from a GGUF file.
///
/// The file has the divisor of each frequency, and may have the number of original positions.
extension RopeScaling {
    /// Creates the scaling that has the given divisors; nil if no scaling has them.
    ///
    /// Let d be the divisor of a pair and F the factor. A pair is slow if its frequency is low, and
    /// fast if it is high. For pairs between the slow and the fast ones, `(1/d - 1/F) / (1 - 1/F)`
    /// is linear in the frequency. It is 0 at the frequency with `low_freq_factor` rotations within
    /// the original positions, and 1 at the frequency with `high_freq_factor` rotations. So the
    /// divisors determine the original positions only together with these two values. Their default
    /// values are used if they fit.
    ///
    /// - Parameters:
    ///   - divisors: The divisor of each pair, in order of falling frequency.
    ///   - theta: The base of the frequencies.
    ///   - originalPositions: The number of original positions in the file; nil if it has none.
    init?(divisors: [Float], theta: Double, originalPositions: Int?) {
        guard let maximum = divisors.max(), maximum.isFinite, maximum > 1 else { return nil }
        let factor = Double(maximum)
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
        let steps = usual.highFrequencyFactor - usual.lowFrequencyFactor
        let guesses =
            [known, usual.originalPositions].compactMap(\.self)
            + between.map { point in
                let rotations = usual.lowFrequencyFactor + point.share * steps
                return Int(exactly: (rotations * 2 * .pi / point.frequency).rounded()) ?? 0
            }
        for guess in guesses where guess > 0 {
            let scaling = RopeScaling(factor: factor, originalPositions: guess)
            if fits(scaling, within: 1e-5) {
                self = scaling
                return
            }
        }
        // If fewer than two pairs are between the slow and the fast ones, the slow and the fast
        // pair nearest to them determine the line.
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
        let rotations = Double(positions) / (2 * .pi)
        guard slope > 0, slope.isFinite, zero > 0 else { return nil }
        self.init(
            factor: factor, lowFrequencyFactor: zero * rotations,
            highFrequencyFactor: (zero + 1 / slope) * rotations,
            originalPositions: positions)
        guard fits(self, within: 1e-3) else { return nil }
    }
}

/// The frequency of a pair, and its place between the slow pairs (0) and the fast pairs (1).
private struct Point {
    let frequency: Double
    let share: Double

    func slope(to other: Point) -> Double {
        (share - other.share) / (frequency - other.frequency)
    }
}
