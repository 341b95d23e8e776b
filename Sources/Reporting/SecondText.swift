/// Quality on a second evaluation set, of another kind than the calibration text.
extension PruneReport {
    /// The texts that quality was measured on.
    var evaluationTexts: String {
        evaluatedOn + (secondText.map { "; second text: \($0)" } ?? "")
    }
}

extension QualityTable {
    /// The measure on the second text; nil if there is no second text.
    private var secondMeasure: QualityMeasure? {
        guard report.secondText != nil else { return nil }
        return [.perplexity, .meanCosineDistance].first(where: measures.contains)
    }

    /// The columns of the second text.
    var secondColumns: [String] {
        guard let measure = secondMeasure else { return [] }
        return ["\(measure.title), second text"] + (measure.hasChange ? ["Change"] : [])
    }

    /// Returns the cells of a model in the columns of the second text.
    func secondCells(_ figures: QualityFigures?, isDense: Bool) -> [String] {
        guard let measure = secondMeasure else { return [] }
        let dense =
            report.secondDense.flatMap(measure.value)
            ?? (measure == .meanCosineDistance ? 0 : nil)
        let value = isDense ? dense : figures.flatMap(measure.value)
        guard measure.hasChange else { return [measure.text(value)] }
        guard !isDense, let dense, let value else { return [measure.text(value), "–"] }
        return [measure.text(value), Figures.change(from: dense, to: value)]
    }
}
