import CommandLine
import Reporting

/// What a prune prints when it is done.
struct PruneSummary {
    let text: String

    init(_ report: PruneReport, output: String) {
        let isDecoder = report.model.generatesText
        var table =
            isDecoder
            ? Table("target", "measured", "95% interval", "ms", "perplexity", "KL", "weights")
            : Table("target", "measured", "95% interval", "ms", "cosine distance", "weights")
        func add(
            _ name: String, _ speedup: String, _ interval: String, _ seconds: Double?,
            _ quality: QualityFigures, _ parameters: Int?
        ) {
            let milliseconds = seconds.map { Human.significant($0 * 1e3, digits: 4) } ?? ""
            let count = parameters.map { Human.count($0) } ?? ""
            func figure(_ value: Double?) -> String {
                value.map { Human.significant($0, digits: 4) } ?? "–"
            }
            if isDecoder {
                table.add(
                    name, speedup, interval, milliseconds, figure(quality.perplexity),
                    figure(quality.kl), count)
            } else {
                table.add(
                    name, speedup, interval, milliseconds, figure(quality.meanCosineDistance),
                    count)
            }
        }
        add(
            "dense", "1×", "", report.targets.first?.denseSeconds ?? report.denseSeconds,
            report.dense, report.model.parameters)
        for target in report.targets {
            add(
                Human.ratio(target.target), Human.ratio(target.measured),
                target.interval.map { Human.significant($0, digits: 4) }.joined(separator: "–"),
                target.seconds, target.quality, target.parameters)
        }
        for target in report.targets {
            guard let pruned = target.recovery?.unrecovered else { continue }
            add("\(Human.ratio(target.target)) untrained", "", "", nil, pruned, nil)
        }
        for other in report.baselines {
            add(
                "\(Human.ratio(other.target)) by \(report.label(of: other))",
                Human.ratio(other.measured), "", nil, other.quality, nil)
        }
        let missed = report.targets.filter { $0.interval.first ?? 0 < $0.target }
            .map {
                "The target \(Human.ratio($0.target)) is not "
                    + ($0.interval.last ?? 0 < $0.target
                        ? "held: give it more --attempts, in another -o."
                        : "surely held: the machine is noisy.")
            }
        let disturbed = report.targets.filter(\.isDisturbed)
            .map {
                "Other programs took processor time while \(Human.ratio($0.target)) was measured: "
                    + "bench it again on a quiet machine."
            }
        text =
            ([
                table.rendered(),
                "Evaluated on \(report.evaluatedOn).",
            ] + missed + disturbed + ["Report: \(output)/report.html"]).joined(separator: "\n")
    }
}
