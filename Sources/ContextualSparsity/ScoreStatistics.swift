public import Tensors
public import Transformers

/// Collects statistics of units' contributions over text: the share of units that a token needs,
/// and thresholds.
public final class ScoreStatistics: ForwardObserver {
    /// The shares of a token's squared contributions for which the number of units is measured.
    public static let shares = [0.9, 0.99]

    private let scores: UnitScores
    /// The needed share of units for each component and each of ``shares``, summed over tokens.
    private var needs: [Component: [Double]] = [:]
    private var tokens: [Component: Int] = [:]
    /// The contributions of a sample of tokens, unsorted.
    private var samples: [Component: [Float]] = [:]

    /// The distance between tokens that are sampled for thresholds.
    private static let stride = 8

    /// Creates empty statistics.
    public init(_ scores: UnitScores) { self.scores = scores }

    /// Adds the inputs of one component's last projection.
    public func willProject(_ component: Component, inputs: Activations) {
        for row in 0..<inputs.rows {
            let found = scores.scores(of: component, inputs: inputs.row(row))
            guard !found.isEmpty else { return }
            if tokens[component, default: 0] % Self.stride == 0 {
                samples[component, default: []] += found
            }
            tokens[component, default: 0] += 1
            let squares = found.map { Double($0) * Double($0) }.sorted(by: >)
            let total = squares.reduce(0, +)
            for (index, share) in Self.shares.enumerated() {
                var (sum, count) = (0.0, 0)
                while count < squares.count, sum < share * total {
                    sum += squares[count]
                    count += 1
                }
                needs[component, default: Self.shares.map { _ in 0 }][index] +=
                    Double(count) / Double(squares.count)
            }
        }
    }

    /// The mean number of units that a token needs, divided by the number of all units.
    ///
    /// It has a value for each of ``shares``. For the share 0.9, a token needs the smallest number
    /// of units whose squared contributions add up to at least 90% of the sum over all units. The
    /// result is nil for components without any token.
    public func needs(of component: Component) -> [Double]? {
        guard let sums = needs[component], let count = tokens[component] else { return nil }
        return sums.map { $0 / Double(count) }
    }

    /// Returns for each density and component the threshold that this share of contributions
    /// exceeds.
    ///
    /// Contributions of all tokens and units of a component are ranked together.
    public func thresholds(densities: [Double]) -> [Double: [Component: Float]] {
        let limits = samples.mapValues { $0.limits(densities: densities) }
        return densities.reduce(into: [:]) { found, density in
            found[density] = limits.compactMapValues { $0[density] }
        }
    }
}
