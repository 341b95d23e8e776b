internal import Tensors

/// Chooses the next token from a row of logits.
public struct Sampler: Sendable {
    /// The divisor of the logits; 0 always selects the token with the largest logit.
    public var temperature: Float
    /// Tokens are drawn from the smallest set of most likely tokens whose probabilities sum to at
    /// least this value.
    public var topP: Double
    private var random: SplitMix64

    /// Whether the most likely token is always selected.
    var isGreedy: Bool { temperature <= 0 }

    /// Creates a sampler; equal seeds give equal results.
    public init(temperature: Float, topP: Double = 1, seed: UInt64 = 0) {
        self.temperature = temperature
        self.topP = topP
        random = SplitMix64(seed: seed)
    }

    /// Draws a token, using one row of logits.
    ///
    /// - Complexity: O(vocabulary), plus sorting the vocabulary if `topP` is below 1.
    public mutating func next(_ logits: ArraySlice<Float>) -> Int32 {
        var best = logits.startIndex
        for index in logits.indices where logits[index] > logits[best] { best = index }
        guard temperature > 0 else { return Int32(best - logits.startIndex) }
        let maximum = logits[best]
        var weights = logits.map { Double(((($0 - maximum) / temperature))).exponential }
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
