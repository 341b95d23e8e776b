import Console
import Pipeline
import Reporting

/// The text that a prune prints at its end.
struct PruneSummary {
    let text: String

    init(_ report: PruneReport, output: String) {
        let isDecoder = report.model.generatesText
        let training = report.targets.first?.recovery
        // The score of a task has a column of its own, before the cosine distance.
        let task = training.flatMap { Self.isTask($0.measure) ? $0.measure : nil }
        var table = Table(
            titles: ["target", "measured", "95% interval", "ms"] + (task.map { [$0] } ?? [])
                + (isDecoder ? ["perplexity", "KL"] : ["cosine distance"])
                + (report.secondText == nil ? [] : ["second"]))
        func add(
            _ name: String, _ speedup: String, _ interval: String, _ seconds: Double?,
            _ quality: QualityFigures, second: QualityFigures? = nil, score: Double? = nil
        ) {
            func figure(_ value: Double?) -> String {
                value.map { Figures.significant($0, digits: 4) } ?? "–"
            }
            let figures =
                isDecoder ? [quality.perplexity, quality.kl] : [quality.meanCosineDistance]
            let others =
                report.secondText == nil
                ? [] : [isDecoder ? second?.perplexity : second?.meanCosineDistance]
            table.add(
                row: [name, speedup, interval, seconds.map { figure($0 * 1e3) } ?? ""]
                    + (task == nil ? [] : [figure(score)]) + (figures + others).map(figure))
        }
        add(
            "dense", "1×", "", report.denseSeconds, report.dense, second: report.secondDense,
            score: training?.dense)
        for target in report.targets {
            add(
                Figures.ratio(target.target), Figures.ratio(target.measured),
                target.interval.map { Figures.significant($0, digits: 4) }.joined(separator: "–"),
                target.seconds, target.quality, second: target.second,
                score: target.recovery?.after)
        }
        for target in report.targets {
            guard let recovery = target.recovery else { continue }
            add(
                "\(Figures.ratio(target.target)) untrained", "", "", nil, recovery.unrecovered,
                score: recovery.before)
        }
        for other in report.baselines {
            add(
                "\(Figures.ratio(other.target)) by \(report.label(of: other))",
                Figures.ratio(other.measured), "", nil, other.quality, second: other.second)
        }
        let missed = report.targets.filter { $0.interval.first ?? 0 < $0.target }
            .map {
                "The target \(Figures.ratio($0.target)) is "
                    + ($0.interval.last ?? 0 < $0.target
                        ? "not reached: prune again with more --attempts and another -o."
                        : "inside the 95% interval: the machine is too noisy to decide.")
            }
        let disturbed = report.targets.filter(\.isDisturbed)
            .map {
                "Other programs disturbed the measurement of \(Figures.ratio($0.target)): measure "
                    + "it again with `espalier bench` on a quiet machine."
            }
        let profiled = report.profiledMachine.map {
            "The profile is of another machine (\($0)); speedups were measured on this one."
        }
        let notes =
            ["ms: the dense model's median time, and this time divided by the speedup."]
            + report.evaluationTexts
            + [
                Self.disk(report),
                DiskUse.noteOnWork(
                    in: output,
                    remedy:
                        "Remove it, or use --tidy, if you will not resume the run or add targets."
                ),
                profiled,
            ].compactMap(\.self) + report.choices + missed + disturbed
            + [report.advice].compactMap(\.self)
        text =
            ([table.rendered()] + notes.map(TerminalText.wrapped) + [
                "Report: \(output)/report.html"
            ])
            .joined(separator: "\n")
    }

    /// A sentence with the sizes of the models on disk; nil if they are not known.
    private static func disk(_ report: PruneReport) -> String? {
        guard let source = report.model.bytes else { return nil }
        let models = report.targets.compactMap { target in
            target.bytes.map { "\(Figures.ratio(target.target)) \(Figures.shortBytes($0))" }
        }
        return "On disk: "
            + (["\(report.model.name) \(Figures.shortBytes(source))"] + models).joined(
                separator: ", ")
            + "."
    }

    /// Whether a metric is the score of a task; perplexity and cosine distance are not.
    private static func isTask(_ measure: String) -> Bool {
        measure != "perplexity" && measure != "cosine distance"
    }
}
