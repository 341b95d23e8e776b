internal import Foundation
internal import Tensors

/// The losses that a search predicts for random plans, compared with the divergences of their models.
///
/// The predicted loss of a plan is a sum over its components. Their errors can add up to more or less
/// than that in the model.
public struct LossCheck: Codable, Sendable, Equatable {
    /// One random plan.
    public struct Entry: Codable, Sendable, Equatable {
        /// The sum of the losses of the plan's components.
        public let predicted: Double
        /// The divergence of the plan's model from the dense model.
        public let measured: Double

        /// Creates an entry.
        public init(predicted: Double, measured: Double) {
            (self.predicted, self.measured) = (predicted, measured)
        }
    }

    /// The plans, in the order in which they were drawn.
    public let entries: [Entry]

    /// Creates a check from its entries.
    public init(entries: [Entry]) { self.entries = entries }

    /// The maximum predicted loss of a random plan, in nats or as a cosine distance.
    public static let maximumLoss = 0.5

    /// The median of the measured divergences divided by the predicted losses.
    public var medianRatio: Double {
        let ratios = ratios.sorted()
        guard !ratios.isEmpty else { return 1 }
        let half = ratios.count / 2
        return ratios.count % 2 == 1 ? ratios[half] : (ratios[half - 1] + ratios[half]) / 2
    }

    /// The maximum factor between a measured divergence and the predicted loss, in either direction.
    public var worstFactor: Double {
        ratios.reduce(1) { max($0, max($1, 1 / $1)) }
    }

    /// The check of the corrected losses.
    public var corrected: LossCheck {
        LossCheck(
            entries: entries.map {
                Entry(predicted: corrected($0.predicted), measured: $0.measured)
            })
    }

    /// The predicted loss after a correction, `exp(a) · loss^b`.
    ///
    /// `a` and `b` fit the logarithms of the measured divergences best. `b` is positive, so the
    /// correction does not change which plan has the smallest loss.
    public func corrected(_ loss: Double) -> Double {
        let points = entries.filter { $0.predicted > 0 && $0.measured > 0 }
            .map { (x: log($0.predicted), y: log($0.measured)) }
        guard points.count > 2, loss > 0 else { return loss }
        let count = Double(points.count)
        let x = points.reduce(0) { $0 + $1.x } / count
        let y = points.reduce(0) { $0 + $1.y } / count
        let spread = points.reduce(0) { $0 + ($1.x - x) * ($1.x - x) }
        let slope = points.reduce(0) { $0 + ($1.x - x) * ($1.y - y) } / max(spread, 1e-12)
        guard slope > 0 else { return loss }
        return exp(y + slope * (log(loss) - x))
    }

    private var ratios: [Double] {
        entries.map { max($0.measured, 1e-12) / max($0.predicted, 1e-12) }
    }
}

extension SearchProblem {
    /// Draws choices whose losses are at most a random limit.
    ///
    /// The logarithms of the limits are spread evenly from a sixteenth of `maximum` to `maximum`.
    /// Random options of random components are taken as long as the loss stays below the limit.
    ///
    /// - Parameters:
    ///   - count: The number of choices.
    ///   - maximum: The maximum loss of a choice.
    ///   - seed: Equal seeds give equal choices.
    /// - Returns: The choices and their losses.
    public func randomChoices(
        _ count: Int, losing maximum: Double, seed: UInt64
    ) -> [(choice: [Int], loss: Double)] {
        var random = SplitMix64(seed: seed)
        let search = GreedySearch(self)
        return (0..<count).map { _ in
            let limit = maximum * exp2(-4 * Double.random(in: 0...1, using: &random))
            var (choice, loss) = (dense, 0.0)
            for _ in 0..<8 * options.count {
                let component = Int.random(in: options.indices, using: &random)
                var next = choice
                next[component] = Int.random(in: options[component].indices, using: &random)
                let other = search.loss(of: next)
                if other <= limit { (choice, loss) = (next, other) }
            }
            return (choice, loss)
        }
    }
}
