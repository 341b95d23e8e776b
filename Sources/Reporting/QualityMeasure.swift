/// A measure of quality: a column of a table, or the axis of a plot.
enum QualityMeasure: CaseIterable {
    case perplexity
    case kl
    case top1
    case meanCosineDistance

    /// Returns the measures that a model of the report has, the most informative first.
    static func present(in report: PruneReport) -> [QualityMeasure] {
        let all = [report.dense] + report.targets.map(\.quality) + report.baselines.map(\.quality)
        return allCases.filter { measure in all.contains { measure.value(of: $0) != nil } }
    }

    /// The heading of the measure's column.
    var title: String {
        switch self {
        case .perplexity: "Perplexity"
        case .kl: "KL divergence"
        case .top1: "Same top token"
        case .meanCosineDistance: "Cosine distance"
        }
    }

    /// An explanation of the measure.
    var explanation: String {
        switch self {
        case .perplexity:
            "Perplexity: how uncertain the model is about the next token, as a number of equally "
                + "likely choices; lower is better."
        case .kl:
            "KL divergence: how far the predictions are from the dense model’s, in nats per "
                + "token; 0 is no change."
        case .top1:
            "Same top token: how often the most likely next token is still the dense model’s."
        case .meanCosineDistance:
            "Cosine distance: how far sentence vectors are from the dense model’s; 0 is no "
                + "change."
        }
    }

    /// Returns the value of the measure in a model's figures.
    func value(of figures: QualityFigures) -> Double? {
        switch self {
        case .perplexity: figures.perplexity
        case .kl: figures.kl
        case .top1: figures.top1
        case .meanCosineDistance: figures.meanCosineDistance
        }
    }

    /// Returns the dense model's value.
    ///
    /// Its divergence from itself is known without a measurement.
    func denseValue(in report: PruneReport) -> Double? {
        switch self {
        case .perplexity: report.dense.perplexity
        case .kl, .meanCosineDistance: value(of: report.dense) ?? 0
        case .top1: report.dense.top1 ?? 1
        }
    }

    /// Returns a value of the measure as text.
    func text(_ value: Double?) -> String {
        guard let value else { return "–" }
        return switch self {
        case .perplexity: Figures.perplexity(value)
        case .kl: Figures.decimal(value, 3)
        case .meanCosineDistance: Figures.decimal(value, 4)
        case .top1: Figures.percent(value)
        }
    }
}
