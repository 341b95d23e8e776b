import Foundation

/// Turns predicted losses of a search into predicted values of a measure.
///
/// The logarithm of a perplexity, or the value of another measure, grows in proportion to the
/// predicted loss. The factor is the geometric mean over the measured models of the family.
struct QualityPrediction {
    private let measure: QualityMeasure
    private let dense: Double
    private let factor: Double

    /// Creates the prediction from the measured models of a report; nil if they do not determine
    /// the factor.
    init?(report: PruneReport, measure: QualityMeasure) {
        guard measure != .top1, let dense = measure.denseValue(in: report),
            measure != .perplexity || dense > 0, let steps = report.search
        else { return nil }
        let logarithms = report.targets.compactMap { result -> Double? in
            guard let loss = Self.loss(of: steps, at: result.predicted), loss > 0,
                let value = measure.value(of: result.quality)
            else { return nil }
            let grown = measure == .perplexity ? log(value / dense) : value - dense
            return grown > 0 ? log(grown / loss) : nil
        }
        guard !logarithms.isEmpty else { return nil }
        (self.measure, self.dense) = (measure, dense)
        factor = exp(logarithms.reduce(0, +) / Double(logarithms.count))
    }

    /// Returns the predicted value of the measure for a predicted loss.
    func quality(of loss: Double) -> Double {
        measure == .perplexity ? dense * exp(factor * loss) : dense + factor * loss
    }

    /// Returns the predicted value at a speedup on the path of a search; nil if the path does not
    /// reach the speedup.
    func quality(of steps: [SearchStep], at speedup: Double) -> Double? {
        Self.loss(of: steps, at: speedup).map(quality)
    }

    /// Returns the loss at a speedup, interpolated between the steps of a path.
    private static func loss(of steps: [SearchStep], at speedup: Double) -> Double? {
        guard let upper = steps.firstIndex(where: { $0.speedup >= speedup }) else { return nil }
        let next = steps[upper]
        guard upper > 0, next.speedup > steps[upper - 1].speedup else { return next.loss }
        let last = steps[upper - 1]
        let share = (speedup - last.speedup) / (next.speedup - last.speedup)
        return last.loss + share * (next.loss - last.loss)
    }
}
