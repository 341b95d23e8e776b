public import Tensors
public import Transformers

/// Keeps only some units for each token, and sets the inputs of the other units to 0.
public final class UnitFilter: ForwardObserver {
    /// The method that selects the kept units.
    public enum Choice: String, Codable, Sendable, CaseIterable {
        /// The units with the greatest contributions, the same number for each token. No predictor
        /// can select better.
        case largest
        /// The units whose contributions exceed a threshold of their component. Their number
        /// differs from token to token.
        ///
        /// Source: Liu et al., "TEAL", arXiv 2408.14690.
        case threshold
        /// Random units, the same number for each token.
        case random
    }

    private let scores: UnitScores
    private let kind: ComponentKind
    private let density: Double
    private let choice: Choice
    private let thresholds: [Component: Float]
    private var random = SplitMix64(seed: 1)
    private var (kept, seen) = (0, 0)

    /// Creates a filter.
    ///
    /// - Parameters:
    ///   - scores: The contributions of units.
    ///   - kind: The kind of components to filter. Components of the other kind keep all units.
    ///   - density: The share of units to keep.
    ///   - choice: The method that selects the kept units.
    ///   - thresholds: For ``Choice/threshold``, the threshold of each component.
    public init(
        _ scores: UnitScores, of kind: ComponentKind, density: Double, choice: Choice,
        thresholds: [Component: Float] = [:]
    ) {
        (self.scores, self.kind, self.density) = (scores, kind, density)
        (self.choice, self.thresholds) = (choice, thresholds)
    }

    /// The share of units that were kept so far.
    public var measuredDensity: Double { seen == 0 ? 1 : Double(kept) / Double(seen) }

    /// Sets the inputs of units that are left out to 0.
    public func filter(_ component: Component, inputs: inout Activations) {
        let units = scores.units(of: component)
        guard component.kind == kind, units > 0 else { return }
        let size = scores.unitSize(of: component)
        for row in 0..<inputs.rows {
            let idle = idle(component, scores.scores(of: component, inputs: inputs.row(row)))
            inputs.clear(row: row, columns: idle.flatMap { $0 * size..<($0 + 1) * size })
            (kept, seen) = (kept + units - idle.count, seen + units)
        }
    }

    /// The units to leave out for one token.
    private func idle(_ component: Component, _ scores: [Float]) -> [Int] {
        let count = scores.count - max(1, Int((density * Double(scores.count)).rounded()))
        switch choice {
        case .largest:
            guard count > 0 else { return [] }
            let limit = scores.sorted()[count - 1]
            let below = scores.indices.filter { scores[$0] < limit }
            let equal = scores.indices.filter { scores[$0] == limit }
            return below + equal.prefix(count - below.count)
        case .random:
            return Array(scores.indices.shuffled(using: &random).prefix(count))
        case .threshold:
            let threshold = thresholds[component] ?? 0
            return scores.indices.filter { scores[$0] <= threshold }
        }
    }
}
