internal import Foundation
internal import ModelFiles
internal import Profiling
internal import Pruning
internal import Reporting
internal import Transformers

extension QualityFigures {
    /// Returns the loss of quality; nil if it was not measured.
    ///
    /// For a decoder it is the fraction by which perplexity is above the dense model's. For an
    /// encoder it is the mean cosine distance from the dense model's vectors.
    func loss(from dense: QualityFigures) -> Double? {
        if let perplexity, let whole = dense.perplexity { return perplexity / whole - 1 }
        return meanCosineDistance
    }
}

/// A target whose model loses more quality than `--max-loss` allows.
public struct QualityLimitError: Error, CustomStringConvertible {
    /// The target.
    let target: Double
    /// The maximum loss.
    let limit: Double
    /// The loss of the target's model; nil if it could not be measured.
    let loss: Double?
    /// Whether the loss is a rise of perplexity; otherwise it is a cosine distance.
    let isPerplexity: Bool
    /// The losses at lower speedups, if they were measured.
    var lower: [(speedup: Double, loss: Double, isMeasured: Bool)] = []

    /// Compares the loss of a model with the limit; nil if it is within the limit or there is no
    /// limit.
    ///
    /// - Parameters:
    ///   - quality: The quality of the model.
    ///   - dense: The quality of the dense model.
    ///   - target: The target of the model.
    ///   - limit: The value of `--max-loss`.
    init?(
        of quality: QualityFigures, against dense: QualityFigures, at target: Double, limit: Double?
    ) {
        guard let limit else { return nil }
        (self.target, self.limit) = (target, limit)
        loss = quality.loss(from: dense)
        isPerplexity = dense.perplexity != nil
        if let loss, loss <= limit { return nil }
    }

    /// A sentence with the target, the loss of its model, and the losses at lower speedups.
    public var description: String {
        let found = loss.map { "its \(name) is \(shown($0))" } ?? "its quality cannot be measured"
        let others = lower.map {
            "\($0.isMeasured ? "" : "about ")\(Figures.ratio($0.speedup)) \(shown($0.loss))"
        }
        let sum =
            others.isEmpty
            ? "" : "; at lower speedups: \(others.joined(separator: ", "))"
        return "the target \(Figures.ratio(target)) is not written: \(found), above --max-loss "
            + "\(Figures.significant(limit, digits: 3))\(sum); request a lower --speedup or a "
            + "higher --max-loss"
    }

    private var name: String { isPerplexity ? "rise of perplexity" : "cosine distance" }

    private func shown(_ loss: Double) -> String {
        isPerplexity ? String(format: "%.1f%%", loss * 100) : Figures.significant(loss, digits: 3)
    }

    /// Adds the losses of models of lower targets.
    mutating func compare(with results: [TargetResult], against dense: QualityFigures) {
        for result in results where result.target < target {
            guard let loss = result.quality.loss(from: dense) else { continue }
            lower.append((result.measured, loss, true))
        }
    }
}

extension PruneReport {
    /// Stores a target that was refused.
    mutating func refuse(_ refusal: QualityLimitError?) {
        guard let refusal else { return }
        let text = refusal.description
        refused = text
        notes.append(text.prefix(1).uppercased() + text.dropFirst() + ".")
    }
}

extension PruneRun {
    /// Returns the results before the first result that loses more quality than the limit allows.
    ///
    /// The target of that result is stored as refused, with the losses at lower speedups.
    ///
    /// - Throws: ``QualityLimitError`` if no target is within the limit.
    func keepingToLimit(
        _ results: [TargetResult], on text: CalibrationText,
        losses: (QualityLimitError) throws -> [(speedup: Double, loss: Double, isMeasured: Bool)]
    ) throws -> [TargetResult] {
        guard let limit = options.maxLoss else { return results }
        let dense = try evaluateDense(on: text)
        // The models of an earlier run may lose more than is allowed now.
        let beyond = results.lazy.compactMap {
            QualityLimitError(of: $0.quality, against: dense, at: $0.target, limit: limit)
        }.first
        let lowest = [refusal, beyond].compactMap(\.self).min { $0.target < $1.target }
        guard var lowest else { return results }
        let kept = results.filter { $0.target < lowest.target }
        lowest.compare(with: kept, against: dense)
        if kept.isEmpty { lowest.lower = try losses(lowest) }
        refusal = lowest
        guard !kept.isEmpty else { throw lowest }
        return kept
    }

    /// Returns the losses at lower speedups, down to the first speedup within the limit.
    ///
    /// To save time, their speedups are predicted and their weights are not refitted.
    func losses(
        below refusal: QualityLimitError, by method: PruningMethod, _ table: LatencyTable,
        _ surgery: Surgery, _ calibrationResults: PruningMethod.CalibrationResults,
        on text: CalibrationText
    ) throws -> [(speedup: Double, loss: Double, isMeasured: Bool)] {
        // SPDY searches for coefficients for each speedup, which takes too long.
        guard method != .spdy else { return [] }
        let dense = try evaluateDense(on: text)
        var found: [(speedup: Double, loss: Double, isMeasured: Bool)] = []
        for share in [0.75, 0.5, 0.25] {
            let speedup = 1 + share * (refusal.target - 1)
            let budget = table.interplay.sum(ofSeconds: table.budget(forSpeedup: speedup))
            let plan = try method.plan(
                within: budget, in: space(table), using: calibrationResults, seed: options.seed)
            let weights = ShrunkWeights(
                plan, losses: calibrationResults.losses, surgery: surgery,
                order: method.order(seed: options.seed))
            let quality = try evaluate(
                try pack(weights, name: Figures.ratio(speedup)), of: weights.channels,
                against: try baseline(), on: text, .heldOut)
            guard let loss = quality.loss(from: dense) else { continue }
            found.append((speedup, loss, false))
            if loss <= refusal.limit { break }
        }
        return found.reversed()
    }
}
