/// The first screen of a report: what the best model gives, what it costs, and what else there is.
struct DecisionSection {
    let report: PruneReport
    let decision: Decision

    /// The section; nil if the report has no model.
    init?(report: PruneReport) {
        guard let decision = Decision.best(in: report) else { return nil }
        (self.report, self.decision) = (report, decision)
    }

    var markup: Markup {
        let mood: Markup = decision.isGood ? "good" : "caution"
        let answers = decision.answers.map {
            "<dt>\($0.question)</dt><dd>\($0.answer)</dd>" as Markup
        }
        return """
            <section class="decision" aria-label="Is it worth it?">
            <p class="claim">\(decision.sentence)</p>
            <p class="advice \(mood)"><strong>\(decision.title).</strong> \(decision.reason)\
            \(others)</p>
            <p class="soft">\(report.evaluationTexts.joined(separator: " "))</p>
            <div class="answers">
            <dl>
            \(answers)
            <dt>How do I load it?</dt><dd>\(loading) <a href="#load">Other programs</a></dd>
            </dl>
            \(picture ?? "")
            </div>
            \(AlternativesTable(report: report).html.markup)
            <p class="soft">\(explanation)</p>
            \(AdviceRules.markup)
            </section>
            """
    }

    /// Which model of the family the first lines are about, if there are several.
    private var others: Markup {
        guard report.targets.count > 1 else { return "" }
        return
            " This is the \(Figures.target(decision.result.target)) model of \(report.targets.count)."
    }

    private var loading: Markup {
        report.model.generatesText
            ? "<code>\(LoadingCommands(report: report, result: decision.result).generation)</code>"
            : "<code>\(decision.result.path)/model.onnx</code> in ONNX Runtime or OpenVINO."
    }

    private var picture: Markup? {
        guard let measure = QualityMeasure.present(in: report).first,
            let plot = TradeoffFigure(report: report, measure: measure)?.markup
        else { return nil }
        return "<figure>\n\(plot)\n</figure>"
    }

    private var explanation: String {
        let predictions =
            (report.levers ?? []).isEmpty
            ? ""
            : " ≈ and dashed lines: predicted by the search, scaled to the measured models. One "
                + "lever alone is measured with --baseline units or --baseline formats."
        return "Weights: their memory while the model runs." + predictions
    }
}
