/// A loss of a pruned model: one measure on one text, or one task.
struct QualityLoss {
    /// What was measured, such as `the second text, novel.txt` or `sciq`.
    let subject: String
    /// The loss as a part of a sentence, such as `perplexity 9.6% higher`.
    let phrase: String
    /// The values before and after, such as `perplexity 22.26 → 24.39`.
    let change: String
    /// What the rules advise for this loss alone.
    let advice: Advice
    /// The relative size of the loss, to compare losses of equal advice.
    let size: Double
}

extension QualityLoss {
    /// Returns the losses of the model of a target, the worst first.
    static func all(of result: TargetResult, in report: PruneReport) -> [QualityLoss] {
        let tasks = (report.tasks ?? []).compactMap { task in
            task.results.first { $0.target == result.target }.map { QualityLoss(task, $0) }
        }
        let texts = [
            QualityLoss(
                result.quality, of: report.dense, on: "the held-out text", hasTasks: !tasks.isEmpty),
            QualityLoss(
                result.second, of: report.secondDense ?? QualityFigures(),
                on: report.secondSubject, hasTasks: !tasks.isEmpty),
        ].compactMap(\.self)
        return (tasks + texts).sorted { ($1.advice, $1.size) < ($0.advice, $0.size) }
    }

    /// A loss of perplexity, or for encoders of the vectors' directions; nil if neither was
    /// measured.
    private init?(
        _ figures: QualityFigures?, of dense: QualityFigures, on subject: String, hasTasks: Bool
    ) {
        self.subject = subject
        if let value = figures?.perplexity, let before = dense.perplexity, before > 0 {
            let ratio = value / before
            change = "perplexity \(Figures.perplexity(before)) → \(Figures.perplexity(value))"
            phrase =
                ratio >= 2
                ? "perplexity \(Figures.decimal(ratio, 1)) times as high"
                : ratio >= 1.0005
                    ? "perplexity \(Figures.percent(ratio - 1)) higher" : "perplexity not higher"
            advice = AdviceRules.advice(for: ratio, AdviceRules.perplexity, beyond: .reduce)
            size = ratio - 1
        } else if let value = figures?.meanCosineDistance {
            let text = Figures.significant(value, digits: 2)
            change = "cosine distance \(text) from the dense model’s vectors"
            phrase = "vectors \(text) from the dense model’s (cosine distance)"
            let advised = AdviceRules.advice(for: value, AdviceRules.distance, beyond: .train)
            advice = advised == .test && hasTasks ? .keep : advised
            size = value
        } else {
            return nil
        }
    }

    /// The loss of a task's score.
    private init(_ task: TaskFigures, _ result: TaskFigures.Result) {
        let fall = task.dense - result.value
        let isSure = result.pValue < 0.05 && fall > 0
        let points = Figures.decimal(fall * 100, 1)
        subject = task.name
        change =
            "\(Figures.percent(task.dense)) → \(Figures.percent(result.value))"
            + (isSure || fall <= 0 ? "" : ", may be chance")
        phrase =
            !isSure
            ? "\(task.name) not measurably worse"
            : result.flips == nil
                ? "\(task.name) \(points) points lower"
                : "\(points) of 100 answers worse in \(task.name)"
        advice = isSure ? AdviceRules.advice(for: fall, AdviceRules.score, beyond: .reduce) : .keep
        size = isSure ? fall / max(task.dense, 1e-12) : 0
    }
}
