/// What a report advises about a pruned model, from the best to the worst.
enum Advice: Int, Comparable, CaseIterable {
    /// The losses are small.
    case keep
    /// The measured losses say little about the model's use.
    case test
    /// Training can win back most of the losses.
    case train
    /// The losses are too large for training.
    case reduce

    static func < (left: Advice, right: Advice) -> Bool { left.rawValue < right.rawValue }

    /// The advice as an imperative.
    var title: String {
        switch self {
        case .keep: "Keep it"
        case .test: "Test it on your task"
        case .train: "Train it first"
        case .reduce: "Ask for a smaller speedup"
        }
    }
}

/// The limits that turn losses into advice.
enum AdviceRules {
    /// The largest ratio of the perplexities for each advice.
    static let perplexity: [(advice: Advice, limit: Double)] = [(.keep, 1.1), (.train, 3)]
    /// The largest fall of a score for each advice, as a fraction.
    static let score: [(advice: Advice, limit: Double)] = [(.keep, 0.02), (.train, 0.1)]
    /// The largest cosine distance for each advice.
    static let distance: [(advice: Advice, limit: Double)] = [(.keep, 0.02), (.test, 0.2)]
    /// The fraction of the pruned model's speedup from which a format alone is as fast.
    static let sameSpeed = 0.97

    /// Returns the advice for a loss, which is that of the first limit that it does not exceed.
    static func advice(
        for loss: Double, _ limits: [(advice: Advice, limit: Double)], beyond: Advice
    ) -> Advice {
        limits.first { loss <= $0.limit }?.advice ?? beyond
    }

    /// The rules as complete sentences.
    static var sentences: [String] {
        func points(_ index: Int) -> String { Figures.decimal(score[index].limit * 100, 0) }
        let rise = Figures.decimal((perplexity[0].limit - 1) * 100, 0)
        let times = Figures.significant(perplexity[1].limit, digits: 1)
        let distances = distance.map { Figures.significant($0.limit, digits: 1) }
        let speed = Figures.decimal(sameSpeed * 100, 0)
        return [
            "Every loss gives an advice, and the worst one counts.",
            "Perplexity, on each text: keep up to +\(rise)%; train first up to \(times) times; "
                + "otherwise ask for a smaller speedup.",
            "Score of a task, if a paired test finds the fall significant (p < 0.05): keep up to "
                + "\(points(0)) points; train first up to \(points(1)) points; otherwise ask for a "
                + "smaller speedup.",
            "Cosine distance of vectors, on each text: keep up to \(distances[0]); test on your "
                + "task up to \(distances[1]), which a measured task replaces; otherwise train first.",
            "If the dense model in one format is at least as fast (\(speed)%) and loses no more, "
                + "prefer it.",
        ]
    }
}

extension AdviceRules {
    /// The rules, folded on a page.
    static var markup: Markup {
        """
        <details><summary>The rules of the advice</summary>
        <ul class="soft">
        \(sentences.map { "<li>\($0)</li>" as Markup })
        </ul>
        </details>
        """
    }
}
