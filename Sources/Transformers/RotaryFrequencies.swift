internal import Foundation
public import Tensors

extension RotaryTable {
    /// Creates the table for a model's positions; nil if the model has a position embedding.
    public init?(_ shape: ModelShape) {
        guard shape.architecture.positions == .rotary else { return nil }
        self.init(frequencies: shape.rotaryFrequencies, positions: shape.maximumPositions)
    }
}

extension ModelShape {
    /// The angles of rotation from one position to the next, in radians, `[turnedChannels / 2]`.
    ///
    /// The angle of pair i is `theta^(-2i/d)`, with d the number of rotated channels, divided by
    /// ``rotaryDivisors``.
    public var rotaryFrequencies: [Double] {
        zip(unscaledFrequencies, rotaryDivisors).map { $0 / $1 }
    }

    /// The divisors of the rotary frequencies, which are 1 without scaling.
    public var rotaryDivisors: [Double] {
        unscaledFrequencies.map { ropeScaling?.divisor(of: $0) ?? 1 }
    }

    private var unscaledFrequencies: [Double] {
        Self.unscaledFrequencies(ofPairs: turnedChannels / 2, theta: Double(ropeTheta))
    }

    /// The frequencies of the pairs of a head without scaling, `theta^(-i/pairs)`.
    static func unscaledFrequencies(ofPairs pairs: Int, theta: Double) -> [Double] {
        (0..<pairs).map { exp(-Double($0) / Double(pairs) * log(theta)) }
    }
}
