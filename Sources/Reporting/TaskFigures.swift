/// The scores of the dense model and of the family on a task.
public struct TaskFigures: Codable, Sendable, Equatable {
    /// The task's name.
    public var name: String
    /// The metric, such as `acc`.
    public var metric: String
    /// The number of items.
    public var items: Int
    /// The dense model's score.
    public var dense: Double
    /// The standard error of the dense model's score.
    public var denseError: Double
    /// The scores of the family.
    public var results: [Result]

    /// The score of one model of the family.
    public struct Result: Codable, Sendable, Equatable {
        /// The target speedup of the model.
        public var target: Double
        /// The score of the model.
        public var value: Double
        /// The standard error of the score.
        public var error: Double
        /// The p-value of the difference from the dense model.
        public var pValue: Double
        /// The fraction of items that only one of the two models answers correctly; nil if answers
        /// are not simply right or wrong.
        public var flips: Double?
        /// Some items that the dense model answers correctly and this model does not, the most
        /// telling first.
        public var lost: [Lost]?

        /// Creates a result.
        public init(target: Double, value: Double, error: Double, pValue: Double, flips: Double?) {
            self.target = target
            self.value = value
            self.error = error
            self.pValue = pValue
            self.flips = flips
        }
    }

    /// An item that the dense model answers correctly and another model does not.
    public struct Lost: Codable, Sendable, Equatable {
        /// The item as the model reads it.
        public var prompt: String
        /// The correct answer.
        public var expected: String
        /// The wrong answer; nil if there is none to show.
        public var answer: String?

        /// Creates an item.
        public init(prompt: String, expected: String, answer: String?) {
            (self.prompt, self.expected, self.answer) = (prompt, expected, answer)
        }
    }

    /// Creates figures.
    public init(
        name: String, metric: String, items: Int, dense: Double, denseError: Double,
        results: [Result]
    ) {
        self.name = name
        self.metric = metric
        self.items = items
        self.dense = dense
        self.denseError = denseError
        self.results = results
    }
}

/// The answers of a family that became wrong, for each task and model.
struct LostAnswers {
    let report: PruneReport

    /// The maximum number of characters of a prompt; of a longer one the end is shown.
    private static let promptLength = 400
    /// The maximum number of characters of an answer.
    private static let answerLength = 200

    /// A title with sentences for each task and model that has lost answers.
    var groups: [(title: String, answers: [(prompt: String, outcome: String)])] {
        (report.tasks ?? []).flatMap { task in
            task.results.compactMap { result in
                guard let lost = result.lost, !lost.isEmpty else { return nil }
                return (
                    "\(task.name), \(Figures.target(result.target))",
                    lost.map { (Self.end(of: $0.prompt), Self.outcome(of: $0)) }
                )
            }
        }
    }

    private static func end(of text: String) -> String {
        text.count > promptLength ? "…" + text.suffix(promptLength) : text
    }

    private static func outcome(of lost: TaskFigures.Lost) -> String {
        func short(_ text: String) -> String {
            let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
            return line.count > answerLength ? line.prefix(answerLength) + "…" : line
        }
        return "Correct: “\(short(lost.expected))”."
            + (lost.answer.map { " Pruned model: “\(short($0))”." } ?? "")
    }
}

/// The table of the scores of tasks by model.
struct TaskTable {
    let report: PruneReport

    private var tasks: [TaskFigures] { report.tasks ?? [] }

    var columns: [String] {
        ["Task", "Items", "Dense"] + report.targets.map { Figures.target($0.target) }
    }

    var rows: [(heading: String, cells: [String])] {
        tasks.map { task in
            let cells = report.targets.map { target -> String in
                guard let result = task.results.first(where: { $0.target == target.target })
                else { return "–" }
                let change = Figures.change(from: task.dense, to: result.value)
                return "\(Figures.percent(result.value)) (\(change)\(mark(result)))"
            }
            let dense = "\(Figures.percent(task.dense)) ± \(Figures.percent(task.denseError))"
            return ("\(task.name), \(task.metric)", [Figures.count(task.items), dense] + cells)
        }
    }

    /// Returns a mark for a change that may be due to chance.
    private func mark(_ result: TaskFigures.Result) -> String { result.pValue < 0.05 ? "" : " ~" }

    /// Explanations of the table, as complete sentences.
    var explanations: [String] {
        let marks =
            "In brackets: the change from the dense model. ~ marks a change that may be due to chance "
            + "(p of a paired test at least 0.05)."
        let falls = report.targets.compactMap { target -> String? in
            let lost = tasks.compactMap { task -> (String, Double)? in
                guard let result = task.results.first(where: { $0.target == target.target }),
                    result.pValue < 0.05, task.dense > 0, result.value < task.dense
                else { return nil }
                return (task.name, 1 - result.value / task.dense)
            }.sorted { $0.1 > $1.1 }
            guard let worst = lost.first else { return nil }
            return "At \(Figures.target(target.target)) \(lost.count) of \(tasks.count) scores "
                + "fell significantly, most of all \(worst.0), by \(Figures.percent(worst.1))."
        }
        return [marks] + falls
    }
}
