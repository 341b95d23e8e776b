/// Several runs on one page: the time and quality of each model.
///
/// Speedups over different dense models, such as one in f32 and one in int8, cannot be compared. So
/// all models are shown by their time, and by their speedup over the slowest dense model.
public struct ComparisonPage: Sendable {
    private let runs: [(name: String, report: PruneReport)]
    /// The different dense models, the slowest first.
    private let dense: [DenseModel]

    /// A dense model in an environment.
    ///
    /// Several runs can have the same dense model.
    private struct DenseModel {
        let name: String
        let environment: EnvironmentDescription
        /// The median of the times that the runs measured.
        let seconds: Double
        /// The report of the first run with this dense model.
        let report: PruneReport

        func isOf(_ report: PruneReport) -> Bool {
            name == report.model.name && environment == report.environment
        }
    }

    /// Creates a page that compares runs.
    ///
    /// The conditions of all runs are compared with the conditions of the first run.
    ///
    /// - Precondition: There is at least one run.
    public init(_ runs: [(name: String, report: PruneReport)]) {
        precondition(!runs.isEmpty, "there is no run to compare")
        self.runs = runs
        dense = runs.reduce(into: [DenseModel]()) { known, run in
            let report = run.report
            guard !known.contains(where: { $0.isOf(report) }) else { return }
            let times = runs.map(\.report).filter {
                $0.model.name == report.model.name && $0.environment == report.environment
            }.map(\.denseSeconds).sorted()
            known.append(
                DenseModel(
                    name: report.model.name, environment: report.environment,
                    seconds: (times[(times.count - 1) / 2] + times[times.count / 2]) / 2,
                    report: report))
        }.sorted { $0.seconds > $1.seconds }
    }

    /// Reasons why the runs may not be comparable, as complete sentences; empty if they
    /// are comparable.
    public var caveats: [String] {
        let first = runs[0].report
        return runs.dropFirst().flatMap { name, report -> [String] in
            var reasons: [String] = []
            if report.model.name != first.model.name {
                reasons.append("\(name) pruned another model, \(report.model.name).")
            }
            // Times in different precisions can be compared.
            var environment = report.environment
            environment.precision = first.environment.precision
            if environment.instructionSet == nil || first.environment.instructionSet == nil {
                environment.instructionSet = first.environment.instructionSet
            }
            if environment != first.environment {
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

    /// The advice on each model with its reason, one sentence or more for each model.
    ///
    /// A model is compared with the dense model of its own run. Models without a measured quality
    /// are left out.
    public var advice: [String] {
        runs.flatMap { run in
            run.report.targets.compactMap { result in
                Decision(known: result, in: run.report).map {
                    "\(run.name), \(Figures.target(result.target)): \($0.title). \($0.reason)"
                }
            }
        }
    }

    /// Returns the dense model of a run.
    private func dense(of report: PruneReport) -> DenseModel {
        dense.first { $0.isOf(report) } ?? dense[0]
    }

    /// Returns a name that distinguishes a dense model from the other dense models.
    private func name(of model: DenseModel) -> String {
        "dense, " + (dense.allSatisfy { $0.name == model.name } ? "" : "\(model.name), ")
            + model.environment.precision
    }

    private var measures: [QualityMeasure] {
        QualityMeasure.allCases.filter { measure in
            runs.contains { QualityMeasure.present(in: $0.report).contains(measure) }
        }
    }

    /// The table of the dense models and all results.
    ///
    /// It has times, speedups over the slowest dense model and over the dense model of the same
    /// run, and qualities.
    private var table: HTMLTable {
        let slowest = dense[0]
        let hasAdvice = !advice.isEmpty
        func row(
            _ name: String, _ model: DenseModel, _ speedup: Double,
            advice: String = "", _ value: (QualityMeasure) -> Double?
        ) -> (heading: String, cells: [String]) {
            let seconds = model.seconds / speedup
            let quality = measures.flatMap { measure -> [String] in
                let value = value(measure)
                guard measure.hasChange else { return [measure.text(value)] }
                guard let value, let whole = measure.denseValue(in: slowest.report),
                    model.name == slowest.name
                else { return [measure.text(value), "–"] }
                return [measure.text(value), Figures.change(from: whole, to: value)]
            }
            return (
                name,
                [
                    Figures.time(seconds), Figures.ratio(slowest.seconds / seconds),
                    Figures.ratio(speedup),
                ] + quality + (hasAdvice ? [advice] : [])
            )
        }
        let whole = dense.map { model in
            row(name(of: model), model, 1) { $0.denseValue(in: model.report) }
        }
        let results = runs.flatMap { run in
            run.report.targets.map { result in
                row(
                    "\(run.name), \(Figures.target(result.target)), "
                        + run.report.environment.precision, dense(of: run.report), result.measured,
                    advice: Decision(known: result, in: run.report)?.title ?? ""
                ) { $0.value(of: result.quality) }
            }
        }
        return HTMLTable(
            caption: "Measured on \(runs[0].report.evaluatedOn)",
            columns: ["Model", "Time", "Speed", "Over own dense"]
                + measures.flatMap { [$0.title] + ($0.hasChange ? ["Change"] : []) }
                + (hasAdvice ? ["Advice"] : []),
            rows: whole + results)
    }

    private func figure(of measure: QualityMeasure) -> Markup? {
        let (scale, unit) = Figures.unit(for: dense[0].seconds)
        return TradeoffFigure(
            measure: measure,
            series: runs.compactMap { run in
                let model = dense(of: run.report)
                guard let quality = measure.denseValue(in: run.report) else { return nil }
                return TradeoffFigure.Series(
                    name: "\(run.name), \(run.report.environment.precision)",
                    dense: TradeoffFigure.Point(x: model.seconds * scale, quality: quality),
                    points: run.report.targets.compactMap { result in
                        measure.value(of: result.quality).map {
                            TradeoffFigure.Point(
                                x: model.seconds / result.measured * scale, quality: $0,
                                label: Figures.target(result.target))
                        }
                    }.sorted { $0.x > $1.x })
            },
            xTitle: "\(unit), measured: further left is faster", ticks: [],
            describe: { "\(Figures.decimal($0, 2)) \(unit)" }
        ).markup
    }

    /// The section with the advice on each model; empty if there is none.
    private var advised: Markup {
        guard !advice.isEmpty else { return "" }
        return """
            <section aria-labelledby="advice">
            <h2 id="advice">Which to use</h2>
            <p>Each model is compared with the dense model of its own run.</p>
            <ul>
            \(advice.map { "<li>\($0)</li>" as Markup })
            </ul>
            \(AdviceRules.markup)
            </section>
            """
    }

    /// A self-contained page: no script, no other file.
    public var html: String {
        let first = runs[0].report
        var environment = first.environment
        environment.precision = dense.map(\.environment.precision).reduce(into: [String]()) {
            if !$0.contains($1) { $0.append($1) }
        }.joined(separator: " and ")
        let plots = measures.compactMap(figure).map { "<figure>\n\($0)\n</figure>" as Markup }
        let warnings: Markup =
            caveats.isEmpty
            ? "" : "<ul>\n\(caveats.map { "<li>\($0)</li>" as Markup })\n</ul>"
        let slowest = "\(name(of: dense[0])), \(Figures.time(dense[0].seconds))"
        let section: Markup = """
            <section aria-labelledby="quality">
            <h2 id="quality">Speed and quality</h2>
            \(warnings)
            <p>Speed is the speedup over the slowest dense model (\(slowest)), for all models. \
            \(Narrative(report: first).times) Changes of quality are relative to the slowest \
            dense model too. Divergences and distances are from the dense model of the same \
            run.</p>
            \(table.markup)
            <div class="pictures">
            \(plots)
            </div>
            </section>
            \(advised)
            """
        return Page(
            title: "\(first.model.name), runs compared: Espalier", kind: "runs compared",
            heading: first.model.name, environment: environment, version: first.version,
            sections: [section], footer: "Made by Espalier \(first.version)."
        ).markup.text
    }
}
