internal import Foundation
public import Tensors

extension RotaryTable {
    /// The table for a model's positions; nil where these have embeddings.
    public init?(_ shape: ModelShape) {
        guard shape.architecture.positions == .rotary else { return nil }
        self.init(frequencies: shape.rotaryFrequencies, positions: shape.maximumPositions)
    }
}

extension ModelShape {
    /// The angles by which the pairs of a head turn from one position to the next, `theta^(-2i/d)` but
    /// for scaling, `[turnedChannels / 2]`.
    public var rotaryFrequencies: [Double] {
        zip(unscaledFrequencies, rotaryDivisors).map { $0 / $1 }
    }

    /// What scaling divides each of these by.
    public var rotaryDivisors: [Double] {
        unscaledFrequencies.map { ropeScaling?.divisor(of: $0) ?? 1 }
    }

    private var unscaledFrequencies: [Double] {
        Self.unscaledFrequencies(ofPairs: turnedChannels / 2, theta: Double(ropeTheta))
    }

    /// The frequencies of the pairs of a head where nothing scales them, `theta^(-i/pairs)`.
    static func unscaledFrequencies(ofPairs pairs: Int, theta: Double) -> [Double] {
        (0..<pairs).map { exp(-Double($0) / Double(pairs) * log(theta)) }
    }
}
