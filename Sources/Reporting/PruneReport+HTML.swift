extension PruneReport {
    /// The report as one page.
    ///
    /// It has no script, needs no other file, and is valid XML.
    public var html: String { HTMLReport(report: self).page.text }
}

/// Composes the HTML page, in the order of a reader's questions.
struct HTMLReport {
    let report: PruneReport

    private var narrative: Narrative { Narrative(report: report) }

    var page: Markup {
        Page(
            title: "\(report.model.name), pruned: Espalier report", kind: "prune report",
            heading: report.model.name, environment: report.environment, version: report.version,
            sections: [
                DecisionSection(report: report)?.markup ?? "",
                section("speed", "How the speed was measured", [speed]),
                section("quality", "How much quality is lost", [quality]),
                section(
                    "structure", "What was removed", report.targets.isEmpty ? [] : [structure]),
                section("latency", "How long each size takes here", [latency]),
                section("search", "How the search went", search),
                section("load", "How to load it", loading),
                section("reproduce", "How to reproduce it", [reproduction]),
                section("distrust", "What to distrust", [distrust]),
            ],
            footer: "Made by Espalier \(report.version), \(report.createdAt)."
        ).markup
    }

    /// A section with its heading; empty if it has no content.
    private func section(_ id: String, _ title: String, _ content: [Markup]) -> Markup {
        guard !content.isEmpty else { return "" }
        return """
            <section aria-labelledby="\(id)">
            <h2 id="\(id)">\(title)</h2>
            \(content)
            </section>
            """
    }

    private var speed: Markup {
        guard !report.targets.isEmpty else {
            return "<p>This run made no model. \(narrative.maximumSpeedup ?? "")</p>"
        }
        let cards = report.targets.map { result -> Markup in
            let missed: Markup = narrative.isSure(of: result) ? "" : " missed"
            let disk = narrative.disk(of: result).map { "<dt>On disk</dt><dd>\($0)</dd>" as Markup }
            return """
                <div class="card">
                <h3>Target \(Figures.target(result.target))</h3>
                <div class="figure\(missed)">\(Figures.ratio(result.measured)) <small>faster</small></div>
                <p class="verdict\(missed)">\(narrative.verdict(of: result))</p>
                \(SpeedFigure(result: result).markup)
                <dl>
                <dt>Predicted</dt><dd>\(Figures.ratio(result.predicted))</dd>
                <dt>95% interval</dt><dd>\(Figures.interval(result.interval))</dd>
                <dt>Time</dt>
                <dd>\(Figures.time(result.denseSeconds)) → \(Figures.time(result.seconds))</dd>
                <dt>Weights</dt><dd>\(Figures.count(result.parameters))</dd>
                \(disk ?? "")
                <dt>Plans tried</dt><dd>\(result.attempts)</dd>
                </dl>
                </div>
                """
        }
        return """
            <p>Measured on the finished models, alternately with the dense model. The dense \
            model has \(Figures.count(report.model.parameters)) weights.</p>
            <div class="cards">
            \(cards)
            </div>
            <p class="soft">Filled dot: measured; bar behind it: 95% confidence; ring: predicted \
            from the profile. \(narrative.times) \(narrative.maximumSpeedup ?? "")</p>
            """
    }

    private var quality: Markup {
        let measures = QualityMeasure.present(in: report)
        guard !measures.isEmpty else { return "<p>Quality was not measured.</p>" }
        let explanations = measures.map { "<li>\($0.explanation)</li>" as Markup }
        return """
            \(alternatives ?? "")
            \(divergences ?? "")
            <ul class="soft">
            \(explanations)
            </ul>
            \(recovery ?? "")
            \(tasks ?? "")
            \(expectations)
            \(samples ?? "")
            """
    }

    /// The texts and the table of the first screen, which a report without models does not have.
    private var alternatives: Markup? {
        guard report.targets.isEmpty else { return nil }
        return """
            <p class="soft">\(report.evaluationTexts.joined(separator: " "))</p>
            \(AlternativesTable(report: report).html.markup)
            """
    }

    private var divergences: Markup? {
        let table = DivergenceTable(report: report)
        guard !table.rows.isEmpty else { return nil }
        return HTMLTable(
            caption: "How far the predictions are from the dense model’s",
            columns: table.columns, rows: table.rows
        ).markup
    }

    private var expectations: Markup {
        guard !report.expectations.isEmpty else { return "" }
        return
            "<ul class=\"soft\">\n\(report.expectations.map { "<li>\($0)</li>" as Markup })\n</ul>"
    }

    private var recovery: Markup? {
        let trainings = RecoveryTable(report: report)
        guard !trainings.rows.isEmpty else { return nil }
        return HTMLTable(
            caption: "What training recovered", columns: trainings.columns, rows: trainings.rows
        ).markup
    }

    private var samples: Markup? {
        guard let samples = report.samples, !samples.isEmpty else { return nil }
        let texts = samples.indices.map { index -> Markup in
            let continuations = report.continuations(of: index).map { model, text in
                "<div><dt>\(model)</dt><dd>\(MarkedText(text: text, other: samples[index].dense).markup)</dd></div>"
                    as Markup
            }
            return """
                <p><strong>\(samples[index].prompt)</strong></p>
                <dl class="sides">
                \(continuations)
                </dl>
                """
        }
        return """
            <h3>What the models write</h3>
            <p class="soft">The most likely token is always chosen. Marked: words that the dense \
            model does not write.</p>
            \(texts)
            """
    }

    private var tasks: Markup? {
        guard report.tasks?.isEmpty == false else { return nil }
        let scores = TaskTable(report: report)
        let table = HTMLTable(
            caption: "Tasks: scores often fall more than perplexity suggests",
            columns: scores.columns, rows: scores.rows)
        return """
            \(table.markup)
            <ul class="soft">
            \(scores.explanations.map { "<li>\($0)</li>" as Markup })
            </ul>
            \(lostAnswers ?? "")
            """
    }

    private var lostAnswers: Markup? {
        let groups = LostAnswers(report: report).groups
        guard !groups.isEmpty else { return nil }
        let lists = groups.map { group -> Markup in
            let answers = group.answers.map {
                "<dt>\($0.prompt)</dt><dd>\($0.outcome)</dd>" as Markup
            }
            return "<h3>\(group.title)</h3>\n<dl class=\"wide lost\">\n\(answers)\n</dl>"
        }
        return """
            <details><summary>Answers that became wrong</summary>
            <p class="soft">Items that the dense model answers correctly and the pruned model does \
            not. The first are those whose correct answer lost most likelihood.</p>
            \(lists)
            </details>
            """
    }

    private var structure: Markup {
        let pictures = report.targets.map { result -> Markup in
            let remainder = narrative.remainder(of: result)
            let picture = StructureFigure(
                dense: report.model.layers, result: result, description: remainder)
            return """
                <figure>
                <h3>\(Figures.target(result.target)) model</h3>
                \(picture.markup)
                <figcaption>\(remainder)</figcaption>
                </figure>
                """
        }
        let layers = LayerTable(report: report)
        let table = HTMLTable(
            caption: "Sizes of every layer: query heads / key-value heads / neurons",
            columns: layers.columns, rows: layers.rows)
        return """
            <p>Each row is a layer, from input to output. Filled parts are kept; outlines show \
            the parts of the dense model that were removed.</p>
            <div class="pictures">
            \(pictures)
            </div>
            \(table.folded("All layers as numbers"))
            """
    }

    private var latency: Markup {
        guard !report.latencyCurves.isEmpty else { return "<p>No profile was recorded.</p>" }
        let pictures = report.latencyCurves.map { curve -> Markup in
            let units = curve.units(in: report.model)
            let table = HTMLTable(
                caption: "\(curve.title), one block", columns: LevelTable.columns(units),
                rows: LevelTable.rows(of: curve))
            return """
                <figure>
                <h3>\(curve.title)</h3>
                \(LatencyFigure(curve: curve, units: units).markup)
                \(table.folded("\(curve.points.count) levels as numbers"))
                </figure>
                """
        }
        let warning = narrative.otherMachine.map { "<p class=\"warning\">\($0)</p>" as Markup }
        return """
            \(warning ?? "")
            <p>The time of one block by the number of units that it keeps. The band is the spread \
            of the measurements. Rings are levels that are no faster than a larger level, so \
            they are never chosen. The dashed line is the time if it were proportional to \
            arithmetic. \
            \(narrative.verification ?? "")</p>
            <div class="pictures">
            \(pictures)
            </div>
            """
    }

    private var search: [Markup] {
        let picture = SearchFigure(
            steps: report.search ?? [], levers: report.levers ?? [], targets: report.targets
        ).markup
        let trials = TrialTable(report: report)
        return [
            picture.map { plot in
                """
                <figure>
                \(plot)
                <figcaption>In each step, the search removes the units with the smallest predicted \
                loss for the time that this saves. Dashed lines: the chosen plans.</figcaption>
                </figure>
                """
            },
            trials.rows.isEmpty
                ? nil
                : HTMLTable(
                    caption: "Plans that were built and measured", columns: trials.columns,
                    rows: trials.rows
                ).markup,
        ].compactMap(\.self)
    }

    /// The commands for the first model, and for the other models hidden below summaries.
    private var loading: [Markup] {
        report.targets.enumerated().map { index, result in
            let commands = LoadingCommands(report: report, result: result)
            let heading: Markup =
                "\(Figures.target(result.target)) model in <code>\(result.path)</code>"
            let content: Markup = """
                <pre tabindex="0"><code>\(commands.shell)</code></pre>
                <p class="soft">With the Python package <code>transformers</code>:</p>
                <pre tabindex="0"><code>\(commands.python)</code></pre>
                """
            return index == 0
                ? "<h3>\(heading)</h3>\n\(content)"
                : "<details><summary>\(heading)</summary>\n\(content)\n</details>"
        }
    }

    private var reproduction: Markup {
        let inputs = report.inputs.map { input -> Markup in
            "<dt>\(input.name)</dt><dd><code>\(input.digest)</code></dd>"
        }
        let stages = HTMLTable(
            caption: "Cost of the run", columns: ["Stage", "Time", "Peak memory"],
            rows: narrative.stages.map {
                ($0.name, [Figures.elapsed($0.cost.seconds), Figures.bytes($0.cost.peakBytes)])
            })
        return """
            <pre tabindex="0"><code>\(report.command)</code></pre>
            <dl class="wide">
            <dt>Version</dt><dd>Espalier \(report.version)</dd>
            <dt>Machine</dt><dd>\(report.environment.machine)</dd>
            <dt>Method, seed</dt><dd>\(report.method), \("\(report.seed)")</dd>
            <dt>Calibration</dt><dd>\(narrative.calibration)</dd>
            \(inputs)
            </dl>
            \(report.stages.isEmpty ? "" : stages.markup)
            """
    }

    private var distrust: Markup {
        "<ul>\n\(narrative.caveats.map { "<li>\($0)</li>" as Markup })\n</ul>"
    }
}
