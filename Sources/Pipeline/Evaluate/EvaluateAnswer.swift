internal import Evaluation

/// The quality of a model; figures that do not apply are absent.
public struct EvaluateAnswer: Encodable {
    /// The number of tokens of the text.
    public internal(set) var tokens = 0
    /// The number of tokens that a decoder predicted.
    public internal(set) var predictions: Int?
    /// The exponential of ``meanNLL``.
    public internal(set) var perplexity: Double?
    /// The mean negative logarithm of the probability of each predicted token.
    public internal(set) var meanNLL: Double?
    /// The mean KL divergence from the reference model, in nats.
    public internal(set) var kl: Double?
    /// The fraction of tokens for which both models have the same most likely token.
    public internal(set) var top1: Double?
    /// The mean cosine distance between an encoder's sentence vectors and the reference model's.
    public internal(set) var meanCosineDistance: Double?
    /// The texts with which the models continue the beginnings of windows.
    public internal(set) var samples: [Sample]?
    /// The scores of the tasks, by name.
    public internal(set) var tasks: [String: TaskAnswer] = [:]
    /// The tasks of the suite that the model cannot run; nil if there are none.
    public private(set) var skipped: [String]?

    mutating func skip(_ task: String) { skipped = (skipped ?? []) + [task] }

    /// A prompt and the texts with which the models continue the prompt.
    public struct Sample: Encodable {
        /// The beginning of a window.
        public let prompt: String
        /// The continuation by the model.
        public let text: String
        /// The continuation by the reference model.
        public let other: String?
    }
}

/// The score of a model in a task.
///
/// Figures of the reference model are absent if there is no reference model.
public struct TaskAnswer: Encodable {
    /// The name of the metric, such as `acc`.
    public let metric: String
    /// The score.
    public let value: Double
    /// The standard error of the score.
    public let stderr: Double
    /// The number of items.
    public let items: Int
    /// Other metrics by name.
    public let others: [String: Double]
    /// The metric of each item.
    public let scores: [Double]
    /// The choice or label that the model prefers for each item; nil for other tasks.
    public let choices: [Int]?
    /// The generated answers of each item, one for each turn; nil for other tasks.
    public let answers: [[String]]?
    /// The scores of each subject; nil if items have no subjects.
    public let subjects: [Subject]?
    /// What the result leaves out; nil if nothing.
    public let notes: [String]?
    /// The similarity of each pair of sentences; nil for other tasks.
    public let similarities: [Double]?
    /// The texts that are drawn in each run, by index: the training texts of a few-shot
    /// classification, or the texts at which k-means begins; nil for other tasks.
    public let draws: [[Int]]?
    /// The label or cluster of each text in each run; nil for other tasks.
    public let predictions: [[Int]]?
    /// The similarity of each pair of sentences by the reference model.
    public private(set) var denseSimilarities: [Double]?
    /// The score of the reference model.
    public private(set) var dense: Double?
    /// The other metrics of the reference model.
    public private(set) var denseOthers: [String: Double]?
    /// The relative change from the reference model's score.
    public private(set) var relative: Double?
    /// The fraction of items that only one of the two models answers correctly.
    public private(set) var flips: Double?
    /// The p-value: the probability of a difference at least this large by chance.
    public private(set) var pValue: Double?
    /// The reference model's perplexity on the text that the model generated.
    public private(set) var perplexityOfAnswers: Double?

    /// The score of a model on the items of one subject.
    public struct Subject: Encodable {
        /// The name of the subject.
        public let name: String
        /// The number of items.
        public let items: Int
        /// The score.
        public let value: Double
        /// The score of the reference model.
        public let dense: Double?
    }

    /// The verdicts of a judge; nil without a judge.
    public private(set) var judgement: Judgement?

    init(
        _ result: TaskResult, against other: TaskResult?, perplexity: Double?,
        judgement: Judgement? = nil
    ) {
        perplexityOfAnswers = perplexity
        self.judgement = judgement
        metric = result.metric
        value = result.value
        stderr = result.standardError
        items = result.scores.count
        others = result.others
        scores = result.scores
        similarities = result.similarities
        choices = result.choices
        answers = result.answers
        let denseSubjects = other?.subjects ?? []
        let found = result.subjects.enumerated().map { index, subject in
            Subject(
                name: subject.name, items: subject.items, value: subject.value,
                dense: denseSubjects.indices.contains(index) ? denseSubjects[index].value : nil)
        }
        subjects = found.isEmpty ? nil : found
        notes = judgement != nil || result.notes.isEmpty ? nil : result.notes
        draws = result.draws
        predictions = result.predictions
        guard let other else { return }
        let difference = result.difference(from: other)
        dense = other.value
        denseOthers = other.others
        denseSimilarities = other.similarities
        relative = difference.relative
        flips = difference.flips
        pValue = difference.pValue
    }
}
