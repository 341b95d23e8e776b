/// The table of every way to a speed: the dense model, its formats, the family, other methods, and
/// what the search predicts for units alone or formats alone.
///
/// A perplexity has its change from the dense model's in brackets.
struct AlternativesTable {
    let report: PruneReport
    let measures: [QualityMeasure]

    init(report: PruneReport) {
        self.report = report
        measures = QualityMeasure.present(in: report).filter { !$0.isDivergence }
    }

    var columns: [String] {
        ["Model", "Faster"] + measures.map(\.title) + (hasSecond ? ["Second text"] : [])
            + ["Weights", "Advice"]
    }

    private var hasSecond: Bool { report.secondText != nil && !measures.isEmpty }

    var rows: [(heading: String, cells: [String])] {
        let dense = row(
            "dense, \(report.environment.precision)", 1, Self.whole(report.dense),
            second: report.secondDense.map(Self.whole), bytes: report.model.weightBytes)
        let formats = (report.formats ?? []).map {
            row("dense, \($0.format)", $0.speedup, $0.quality, bytes: $0.weightBytes)
        }
        let own = report.targets.map { result in
            row(
                "this run, \(Figures.target(result.target))", result.measured, result.quality,
                second: result.second, bytes: result.weightBytes,
                advice: Decision(result, in: report).title)
        }
        let others = report.baselines.map {
            row(
                "\(report.label(of: $0)), \(Figures.target($0.target))", $0.measured, $0.quality,
                second: $0.second)
        }
        return [dense] + formats + own + others + predicted
    }

    /// The table of the page.
    var html: HTMLTable {
        HTMLTable(
            caption: "Every way, with its speed and its cost", columns: columns, rows: rows,
            strong: ownRows)
    }

    /// Returns the dense model's figures with its distance from itself, which is not measured.
    private static func whole(_ figures: QualityFigures) -> QualityFigures {
        var figures = figures
        figures.meanCosineDistance = figures.meanCosineDistance ?? 0
        return figures
    }

    /// The indices of the rows of the family.
    var ownRows: Set<Int> {
        let first = 1 + (report.formats?.count ?? 0)
        return Set(first..<first + report.targets.count)
    }

    /// What the search predicts for units alone and formats alone at the speed of each target; the
    /// combinations that were measured as baselines are left out.
    private var predicted: [(heading: String, cells: [String])] {
        guard let measure = measures.first,
            let prediction = QualityPrediction(report: report, measure: measure)
        else { return [] }
        return (report.levers ?? []).flatMap { lever in
            report.targets.compactMap { result -> (heading: String, cells: [String])? in
                let isMeasured = report.baselines.contains {
                    lever.name.hasPrefix($0.method) && $0.target == result.target
                }
                guard !isMeasured else { return nil }
                let quality = prediction.quality(of: lever.steps, at: result.measured)
                let cells =
                    ["≈ " + Figures.ratio(result.measured)]
                    + [quality.map { "≈ " + measure.text($0) } ?? "not reached"]
                    + measures.dropFirst().map { _ in "–" } + (hasSecond ? ["–"] : []) + ["–", ""]
                return ("\(lever.name), predicted", cells)
            }
        }
    }

    private func row(
        _ name: String, _ speedup: Double, _ figures: QualityFigures,
        second: QualityFigures? = nil, bytes: Int? = nil, advice: String = ""
    ) -> (heading: String, cells: [String]) {
        let values = measures.map { cell($0, figures, dense: $0.denseValue(in: report)) }
        let others =
            hasSecond
            ? [cell(measures[0], second, dense: report.secondDense.flatMap(measures[0].value))]
            : []
        return (
            name,
            [Figures.ratio(speedup)] + values + others + [bytes.map(Figures.bytes) ?? "–", advice]
        )
    }

    /// Returns a value with its change from the dense model's value, if it differs.
    private func cell(
        _ measure: QualityMeasure, _ figures: QualityFigures?, dense: Double?
    ) -> String {
        let value = figures.flatMap(measure.value)
        guard measure.hasChange, let value, let dense, value != dense else {
            return measure.text(value)
        }
        return "\(measure.text(value)) (\(Figures.change(from: dense, to: value)))"
    }
}
