import CommandLine
import Evaluation

/// What `evaluate` found; absent figures do not apply.
struct EvaluateAnswer: Encodable {
    var tokens = 0
    var predictions: Int?
    var perplexity: Double?
    var meanNLL: Double?
    var kl: Double?
    var top1: Double?
    var meanCosineDistance: Double?
    /// What is written behind the beginnings of windows.
    var samples: [Sample]?
    /// What the task files gave, by name.
    var tasks: [String: TaskAnswer] = [:]

    /// A prompt and what the models write behind it.
    struct Sample: Encodable {
        let prompt: String
        let text: String
        let other: String?

        var shown: String {
            let lines = [
                ("prompt", prompt), ("writes", text), other.map { ("other", $0) },
            ].compactMap(\.self)
            return lines.map { name, text in
                let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
                return "\(name): \(line)"
            }.joined(separator: "\n")
        }
    }

    var text: String {
        ([tokens > 0 ? figures : nil, tasks.isEmpty ? nil : taskTable].compactMap(\.self)
            + (samples ?? []).map(\.shown)).joined(separator: "\n")
    }

    private var taskTable: String {
        let isCompared = tasks.values.contains { $0.dense != nil }
        var table = Table(
            titles: ["task", "items", "metric", "value", "±"]
                + (isCompared ? ["other", "change", "flips", "p"] : []))
        func figure(_ value: Double?, digits: Int = 4) -> String {
            value.map { Human.significant($0, digits: digits) } ?? ""
        }
        func percent(_ value: Double?) -> String { value.map { Human.percent($0) } ?? "" }
        for (name, answer) in tasks.sorted(by: { $0.key < $1.key }) {
            table.add(row: [
                name, String(answer.items), answer.metric, figure(answer.value),
                figure(answer.stderr, digits: 2), figure(answer.dense), percent(answer.relative),
                percent(answer.flips), figure(answer.pValue, digits: 2),
            ])
            for (metric, value) in answer.others.sorted(by: { $0.key < $1.key }) {
                table.add(row: [
                    "", "", metric, figure(value), "", figure(answer.denseOthers?[metric]),
                ])
            }
            if let perplexity = answer.perplexityOfAnswers {
                table.add(row: ["", "", "its answers, to other", figure(perplexity)])
            }
        }
        return table.rendered()
    }

    private var figures: String {
        var table = Table("measure", "value")
        func add(_ name: String, _ value: Double?) {
            if let value { table.add(name, Human.significant(value, digits: 5)) }
        }
        table.add("tokens", String(tokens))
        add("perplexity", perplexity)
        add("mean negative log-likelihood", meanNLL)
        add("divergence (KL, nats)", kl)
        if let top1 { table.add("same first choice", Human.percent(top1)) }
        add("mean cosine distance", meanCosineDistance)
        return table.rendered()
    }
}

/// What a task gave, for a program; absent figures need another model.
struct TaskAnswer: Encodable {
    let metric: String
    let value: Double
    let stderr: Double
    let items: Int
    let others: [String: Double]
    /// The metric of each item.
    let scores: [Double]
    var dense: Double?
    var denseOthers: [String: Double]?
    var relative: Double?
    var flips: Double?
    var pValue: Double?
    /// Of what the model wrote, to the other one.
    var perplexityOfAnswers: Double?

    init(_ result: TaskResult, against other: TaskResult?, perplexity: Double?) {
        perplexityOfAnswers = perplexity
        metric = result.metric
        value = result.value
        stderr = result.standardError
        items = result.scores.count
        others = result.others
        scores = result.scores
        guard let other else { return }
        let difference = result.difference(from: other)
        dense = other.value
        denseOthers = other.others
        relative = difference.relative
        flips = difference.flips
        pValue = difference.pValue
    }
}
