internal import Foundation
public import Tensors

extension RotaryTable {
    /// Creates the table of the layers with the given rotation.
    ///
    /// It is nil if the queries and keys of these layers are not rotated.
    public init?(_ shape: ModelShape, _ rotation: LayerShape.Rotation? = nil) {
        guard let frequencies = shape.rotaryFrequencies(of: rotation) else { return nil }
        self.init(frequencies: frequencies, positions: shape.maximumPositions)
    }
}

/// The rotary tables of a model's layers.
public struct RotaryTables: Sendable {
    private var tables: [LayerShape.Rotation?: RotaryTable]

    /// Computes the tables of a model.
    public init(_ shape: ModelShape) {
        let rotations = Set(shape.layers.map(\.rotation)).union([nil])
        tables = Dictionary(
            uniqueKeysWithValues: rotations.compactMap { rotation in
                RotaryTable(shape, rotation).map { (rotation, $0) }
            })
    }

    /// The table of the layers with the given rotation; nil if their queries and keys are not
    /// rotated.
    public subscript(rotation: LayerShape.Rotation?) -> RotaryTable? { tables[rotation] }

    /// The tables of the inverse rotations.
    public var reversed: RotaryTables {
        var result = self
        result.tables = tables.mapValues(\.reversed)
        return result
    }
}

extension ModelShape {
    /// The angles of rotation from one position to the next, in radians, `[rotatedChannels / 2]`.
    ///
    /// The angle of pair i is `theta^(-2i/d)`, with d the number of rotated channels. It is divided
    /// by ``rotaryDivisors`` unless the layers have their own base. The result is nil if queries
    /// and keys are not rotated.
    public func rotaryFrequencies(of rotation: LayerShape.Rotation? = nil) -> [Double]? {
        guard architecture.positions == .rotary else { return nil }
        switch rotation {
        case nil: return zip(unscaledFrequencies, rotaryDivisors).map { $0 / $1 }
        case .absent: return nil
        case .base(let theta):
            return Self.unscaledFrequencies(ofPairs: rotatedChannels / 2, theta: Double(theta))
        }
    }

    /// The divisors of the rotary frequencies, which are 1 without scaling.
    public var rotaryDivisors: [Double] {
        unscaledFrequencies.map { ropeScaling?.divisor(of: $0) ?? 1 }
    }

    private var unscaledFrequencies: [Double] {
        Self.unscaledFrequencies(ofPairs: rotatedChannels / 2, theta: Double(ropeTheta))
    }

    /// The frequencies of the pairs of a head without scaling, `theta^(-i/pairs)`.
    static func unscaledFrequencies(ofPairs pairs: Int, theta: Double) -> [Double] {
        (0..<pairs).map { exp(-Double($0) / Double(pairs) * log(theta)) }
    }
}
