extension PruneReport {
    /// The report as Markdown with tables, in the same order as the page.
    public var markdown: String { MarkdownReport(report: self).text }
}

/// Composes the Markdown report.
struct MarkdownReport {
    let report: PruneReport

    private var narrative: Narrative { Narrative(report: report) }

    var text: String {
        let sections: [(title: String, paragraphs: [String])] = [
            ("Is it worth it?", decision), ("How the speed was measured", speed),
            ("How much quality is lost", quality),
            ("What was removed", structure), ("How long each size takes here", latency),
            ("How the search went", search), ("How to load it", loading),
            ("How to reproduce it", reproduction),
            ("What to distrust", [Self.list(narrative.caveats)]),
        ]
        let start = [
            "# \(Self.escaped(report.model.name)), pruned", Self.escaped(narrative.environment),
        ]
        let all =
            start
            + sections.filter { !$0.paragraphs.isEmpty }
            .flatMap { ["## \($0.title)"] + $0.paragraphs }
            + [
                "Made by Espalier \(Self.escaped(report.version)), \(Self.escaped(report.createdAt))."
            ]
        return all.joined(separator: "\n\n") + "\n"
    }

    private var decision: [String] {
        guard let decision = Decision.best(in: report) else { return [] }
        return [
            Self.escaped(decision.sentence),
            "**\(decision.title).** \(Self.escaped(decision.reason))",
            texts, Self.list(decision.answers.map { "\($0.question) \($0.answer)" }), alternatives,
            "The rules of the advice:", Self.list(AdviceRules.sentences),
        ]
    }

    private var texts: String {
        Self.escaped(report.evaluationTexts.joined(separator: " "))
    }

    private var alternatives: String {
        let table = AlternativesTable(report: report)
        return Self.table(table.columns, table.rows)
    }

    private var speed: [String] {
        let table = Self.table(
            [
                "Target", "Measured", "95% interval", "Predicted", "Time", "Weights", "On disk",
                "Plans tried",
            ],
            report.targets.map {
                (
                    Figures.target($0.target),
                    [
                        Figures.ratio($0.measured), Figures.interval($0.interval),
                        Figures.ratio($0.predicted),
                        "\(Figures.time($0.denseSeconds)) → \(Figures.time($0.seconds))",
                        Figures.count($0.parameters), narrative.disk(of: $0) ?? "–",
                        "\($0.attempts)",
                    ]
                )
            })
        return [
            "The dense model has \(Figures.count(report.model.parameters)) weights.", table,
            report.targets.isEmpty ? nil : narrative.times, narrative.maximumSpeedup,
        ].compactMap(\.self)
    }

    private var quality: [String] {
        let measures = QualityMeasure.present(in: report)
        guard !measures.isEmpty else { return ["Quality was not measured."] }
        let table = DivergenceTable(report: report)
        // The first section, which a report without models does not have, has the texts and the
        // table of all models.
        return (report.targets.isEmpty ? [texts, alternatives] : [])
            + (table.rows.isEmpty ? [] : [Self.table(table.columns, table.rows)])
            + [Self.list(measures.map(\.explanation))] + recovery + tasks
            + (report.expectations.isEmpty ? [] : [Self.list(report.expectations)]) + samples
    }

    private var recovery: [String] {
        let trainings = RecoveryTable(report: report)
        return trainings.rows.isEmpty
            ? []
            : ["### What training recovered", Self.table(trainings.columns, trainings.rows)]
    }

    private var samples: [String] {
        guard let samples = report.samples, !samples.isEmpty else { return [] }
        return ["### What the models write"]
            + samples.indices.flatMap { index in
                ["> " + Self.escaped(samples[index].prompt)]
                    + [
                        Self.list(
                            report.continuations(of: index).map { "\($0.model): \($0.text)" })
                    ]
            }
    }

    private var tasks: [String] {
        guard report.tasks?.isEmpty == false else { return [] }
        let scores = TaskTable(report: report)
        let lost = LostAnswers(report: report).groups
        return [Self.table(scores.columns, scores.rows), Self.list(scores.explanations)]
            + (lost.isEmpty ? [] : ["### Answers that became wrong"])
            + lost.flatMap { group in
                [
                    "**\(Self.escaped(group.title))**",
                    Self.list(group.answers.map { "\($0.prompt) — \($0.outcome)" }),
                ]
            }
    }

    private var structure: [String] {
        let table = LayerTable(report: report)
        return report.targets.map {
            "**\(Figures.target($0.target)):** \(narrative.remainder(of: $0))"
        } + [
            "Query heads / key-value heads / neurons of every layer:",
            Self.table(table.columns, table.rows),
        ]
    }

    private var latency: [String] {
        [narrative.otherMachine, narrative.verification].compactMap(\.self).map(Self.escaped)
            + report.latencyCurves.flatMap { curve in
                [
                    "### \(Self.escaped(curve.title))",
                    Self.table(
                        LevelTable.columns(curve.units(in: report.model)),
                        LevelTable.rows(of: curve)),
                ]
            }
    }

    private var search: [String] {
        let trials = TrialTable(report: report)
        return trials.rows.isEmpty ? [] : [Self.table(trials.columns, trials.rows)]
    }

    private var loading: [String] {
        report.targets.flatMap { result in
            let commands = LoadingCommands(report: report, result: result)
            return [
                "### \(Figures.target(result.target)) model", Self.code(commands.shell, "sh"),
                Self.code(commands.python, "python"),
            ]
        }
    }

    private var reproduction: [String] {
        let facts =
            [
                ("Version", "Espalier \(report.version)"), ("Machine", report.environment.machine),
                ("Method, seed", "\(report.method), \(report.seed)"),
                ("Calibration", narrative.calibration),
            ] + report.inputs.map { ($0.name, $0.digest) }
        return [
            Self.code(report.command, "sh"),
            Self.table(["", ""], facts.map { ($0, [$1]) }),
            Self.table(
                ["Stage", "Time", "Peak memory"],
                narrative.stages.map {
                    ($0.name, [Figures.elapsed($0.cost.seconds), Figures.bytes($0.cost.peakBytes)])
                }),
        ]
    }

    /// Returns a text on one line that Markdown shows unchanged.
    static func escaped(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar {
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}": result += " "
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case "\\", "`", "*", "_", "[", "]", "|", "#", "~", "$":
                result += "\\\(scalar)"
            default: result.unicodeScalars.append(scalar)
            }
        }
    }

    /// Returns a table whose first column is aligned left, and all other columns right.
    static func table(
        _ columns: [String], _ rows: [(heading: String, cells: [String])]
    ) -> String {
        func line(_ cells: [String]) -> String { "| \(cells.joined(separator: " | ")) |" }
        let rule = columns.indices.map { $0 == 0 ? ":---" : "---:" }
        return
            ([line(columns.map(escaped)), line(rule)]
            + rows.map { line(([$0.heading] + $0.cells).map(escaped)) }).joined(separator: "\n")
    }

    private static func list(_ items: [String]) -> String {
        items.map { "- \(escaped($0))" }.joined(separator: "\n")
    }

    /// Returns a block of code, fenced by more backticks than the code has in a row.
    static func code(_ text: String, _ language: String) -> String {
        let runs = text.split { $0 != "`" }.map(\.count)
        let fence = String(repeating: "`", count: max(3, (runs.max() ?? 0) + 1))
        return "\(fence)\(language)\n\(text)\n\(fence)"
    }
}
