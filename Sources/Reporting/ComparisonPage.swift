/// Several runs on one page: what each reached, at which quality.
public struct ComparisonPage: Sendable {
    private let runs: [(name: String, report: PruneReport)]

    /// Puts runs side by side; the first is what the others are compared with.
    ///
    /// - Precondition: There is at least one.
    public init(_ runs: [(name: String, report: PruneReport)]) {
        precondition(!runs.isEmpty, "nothing to compare")
        self.runs = runs
    }

    /// Why the runs may not be comparable, in whole sentences; empty where they are.
    public var caveats: [String] {
        let first = runs[0].report
        return runs.dropFirst().flatMap { name, report -> [String] in
            var reasons: [String] = []
            if report.model.name != first.model.name {
                reasons.append("\(name) is of another model, \(report.model.name).")
            }
            if report.environment != first.environment {
                let environment = Narrative(report: report).environment
                reasons.append("\(name) was measured in another environment: \(environment).")
            }
            if report.evaluatedOn != first.evaluatedOn {
                reasons.append(
                    "\(name) was evaluated on other text, \(report.evaluatedOn): its quality "
                        + "cannot be compared.")
            }
            return reasons
        }
    }

    /// All runs as the baselines of the first one.
    private var joined: PruneReport {
        var report = runs[0].report
        report.method = runs[0].name
        report.baselines = runs.dropFirst().flatMap { name, other in
            other.targets.map {
                BaselineResult(
                    method: name, target: $0.target, measured: $0.measured, quality: $0.quality,
                    second: $0.second)
            }
        }
        return report
    }

    /// A self-contained page: no script, no other file.
    public var html: String {
        let report = joined
        let measures = QualityMeasure.present(in: report)
        let models = QualityTable(report: report, measures: measures)
        let table = HTMLTable(
            caption: "Measured on \(report.evaluationTexts)", columns: models.columns,
            rows: models.rows, strong: models.ownRows)
        let plots = measures.compactMap {
            TradeoffFigure(report: report, measure: $0).markup
        }.map { "<figure>\n\($0)\n</figure>" as Markup }
        let warnings: Markup =
            caveats.isEmpty
            ? "" : "<ul>\n\(caveats.map { "<li>\($0)</li>" as Markup })\n</ul>"
        let section: Markup = """
            <section aria-labelledby="quality">
            <h2 id="quality">Speed and quality</h2>
            \(warnings)
            \(table.markup)
            <div class="pictures">
            \(plots)
            </div>
            </section>
            """
        return Page(
            title: "\(report.model.name), runs compared: Espalier", kind: "runs compared",
            heading: report.model.name, environment: report.environment, version: report.version,
            sections: [section], footer: "Made by Espalier \(report.version)."
        ).markup.text
    }
}
