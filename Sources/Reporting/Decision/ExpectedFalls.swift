import Foundation

/// What a rise of perplexity cost in the tasks of models that were measured before.
///
/// SmolLM2-135M-Instruct was pruned for four targets without training, and evaluated on seven
/// tasks: BLiMP, PIQA, HellaSwag, ARC-easy, SciQ, LAMBADA and SQuAD with its passage (the article
/// "Task scores of pruned models").
enum ExpectedFalls {
    /// The rise of the logarithm of WikiText-2's perplexity, and the smallest, the median and the
    /// largest relative fall of a score.
    static let measured: [(rise: Double, least: Double, median: Double, most: Double)] = [
        (0, 0, 0, 0), (0.356, 0.017, 0.174, 0.412), (0.709, 0.036, 0.264, 0.941),
        (1.271, 0.044, 0.424, 0.941), (2.204, 0.119, 0.496, 1),
    ]

    /// Returns the falls for a rise of the logarithm of the perplexity, interpolated between the
    /// measured rises.
    static func falls(at rise: Double) -> (least: Double, median: Double, most: Double) {
        guard let upper = measured.firstIndex(where: { $0.rise >= rise }), upper > 0 else {
            let end = rise <= 0 ? measured[0] : measured[measured.count - 1]
            return (end.least, end.median, end.most)
        }
        let (low, high) = (measured[upper - 1], measured[upper])
        let share = (rise - low.rise) / (high.rise - low.rise)
        func between(_ one: Double, _ other: Double) -> Double { one + share * (other - one) }
        return (
            between(low.least, high.least), between(low.median, high.median),
            between(low.most, high.most)
        )
    }
}

extension PruneReport {
    /// For each model of a decoder's family a sentence on what its perplexity lets expect of
    /// tasks, and which measured tasks fell further than that.
    var expectations: [String] {
        targets.compactMap { result in
            guard let before = dense.perplexity, let after = result.perplexity, before > 0,
                after > before * 1.005
            else { return nil }
            let rise = log(after / before)
            let expected = ExpectedFalls.falls(at: rise)
            let beyond = (tasks ?? []).compactMap { task -> (name: String, fall: Double)? in
                guard let found = task.results.first(where: { $0.target == result.target }),
                    found.pValue < 0.05, task.dense > 0
                else { return nil }
                let (fall, error) = (1 - found.value / task.dense, found.error / task.dense)
                // One-sided, at the 5% level.
                return fall - 1.645 * error > expected.median ? (task.name, fall) : nil
            }.sorted { $0.fall > $1.fall }
            let names = beyond.map { "\($0.name) (\(Figures.percent($0.fall)))" }
            let found =
                tasks?.isEmpty != false
                ? "No task was measured here: `espalier report` with --task measures one."
                : names.isEmpty
                    ? "No task fell further than that median."
                    : "Further than that median fell \(names.joined(separator: ", "))."
            return "At \(Figures.target(result.target)) the perplexity rose by "
                + "\(Figures.percent(after / before - 1)). In our tables of SmolLM2-135M without "
                + "training, a rise like this cost the scores of seven tasks "
                + "\(Figures.percent(expected.least)) to \(Figures.percent(expected.most)), in the "
                + "median \(Figures.percent(expected.median)). \(found)"
        }
    }
}
