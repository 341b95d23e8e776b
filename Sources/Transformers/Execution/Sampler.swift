internal import Tensors

/// Chooses the next token from a row of logits.
public struct Sampler: Sendable {
    /// Divides the logits; 0 always takes the largest.
    public var temperature: Float
    /// Only the likeliest tokens whose probabilities reach this sum are drawn from.
    public var topP: Double
    private var random: SplitMix64

    /// Whether the likeliest token is always taken.
    var isGreedy: Bool { temperature <= 0 }

    /// Creates a sampler; equal seeds make equal choices.
    public init(temperature: Float, topP: Double = 1, seed: UInt64 = 0) {
        self.temperature = temperature
        self.topP = topP
        random = SplitMix64(seed: seed)
    }

    /// Draws a token from one row of logits.
    ///
    /// - Complexity: O(vocabulary), and a sort of it where `topP` is below 1.
    public mutating func next(_ logits: ArraySlice<Float>) -> Int32 {
        var best = logits.startIndex
        for index in logits.indices where logits[index] > logits[best] { best = index }
        guard temperature > 0 else { return Int32(best - logits.startIndex) }
        let greatest = logits[best]
        var weights = logits.map { Double(((($0 - greatest) / temperature))).exponential }
        var total = weights.reduce(0, +)
        if topP < 1 {
            let order = weights.indices.sorted { weights[$0] > weights[$1] }
            var kept = 0.0
            for index in order {
                if kept >= topP * total { weights[index] = 0 } else { kept += weights[index] }
            }
            total = kept
        }
        var remaining = Double.random(in: 0..<1, using: &random) * total
        for (index, weight) in weights.enumerated() where weight > 0 {
            remaining -= weight
            if remaining < 0 { return Int32(index) }
        }
        return Int32(best - logits.startIndex)
    }
}
