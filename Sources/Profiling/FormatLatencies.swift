public import Transformers

/// The times of models whose matrices all have one format.
public struct FormatLatencies: Codable, Hashable, Sendable {
    /// The seconds of the whole model.
    public let dense: Timing
    /// The seconds of the model without any component, with its output head in the format.
    public let base: Timing
    /// The measured curve of each kind of component that the model has.
    public let curves: [ComponentKind: LatencyCurve]
    /// The curves for search and prediction.
    let cleaned: [ComponentKind: LatencyCurve]

    /// Collects the times of a format.
    init(dense: Timing, base: Timing, curves: [ComponentKind: LatencyCurve]) {
        (self.dense, self.base, self.curves) = (dense, base, curves)
        cleaned = curves.mapValues(\.cleaned)
    }
}

extension FormatLatencies {
    private enum Key: CodingKey {
        case dense, base, curves
    }

    /// Reads the measured times.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        self.init(
            dense: try container.decode(Timing.self, forKey: .dense),
            base: try container.decode(Timing.self, forKey: .base),
            curves: try container.decode(LatencyTable.Curves.self, forKey: .curves).byKind)
    }

    /// Writes the measured times.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(dense, forKey: .dense)
        try container.encode(base, forKey: .base)
        try container.encode(LatencyTable.Curves(curves), forKey: .curves)
    }
}
