public import Tensors
public import Transformers

/// Gathers what units contribute over text: how few do most of it, and where thresholds lie.
public final class ScoreStatistics: ForwardObserver {
    /// The shares of the squared contributions of a token that are looked at.
    public static let shares = [0.9, 0.99]

    private let scores: UnitScores
    /// For each component the sums over tokens of the shares of units that do each of ``shares``.
    private var needs: [Component: [Double]] = [:]
    private var tokens: [Component: Int] = [:]
    /// The contributions of some tokens, in no order.
    private var samples: [Component: [Float]] = [:]

    /// Of how many tokens one is kept for thresholds.
    private static let stride = 8

    /// Prepares to gather.
    public init(_ scores: UnitScores) { self.scores = scores }

    /// Takes the inputs of an output projection into account.
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

    /// The mean shares of units that do each of ``shares`` of a token's squared contributions; nil
    /// for components that were not seen.
    public func needs(of component: Component) -> [Double]? {
        guard let sums = needs[component], let count = tokens[component] else { return nil }
        return sums.map { $0 / Double(count) }
    }

    /// For each share of units, and for each component, the contribution that so many have at least,
    /// over tokens and units together.
    public func thresholds(densities: [Double]) -> [Double: [Component: Float]] {
        let limits = samples.mapValues { $0.limits(densities: densities) }
        return densities.reduce(into: [:]) { found, density in
            found[density] = limits.compactMapValues { $0[density] }
        }
    }
}
