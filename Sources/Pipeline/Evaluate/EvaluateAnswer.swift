internal import Evaluation

/// The quality of a model; absent figures do not apply.
public struct EvaluateAnswer: Encodable {
    /// The tokens of the text.
    public internal(set) var tokens = 0
    /// How many of them a decoder predicted.
    public internal(set) var predictions: Int?
    /// The exponential of ``meanNLL``.
    public internal(set) var perplexity: Double?
    /// The mean negative logarithm of the probability of each predicted token.
    public internal(set) var meanNLL: Double?
    /// The mean KL divergence from the model compared with, in nats.
    public internal(set) var kl: Double?
    /// The fraction of tokens for which both models have the same most likely token.
    public internal(set) var top1: Double?
    /// The mean cosine distance of an encoder's sentence vectors from the other model's.
    public internal(set) var meanCosineDistance: Double?
    /// What is written behind the beginnings of windows.
    public internal(set) var samples: [Sample]?
    /// The scores of the tasks, by name.
    public internal(set) var tasks: [String: TaskAnswer] = [:]

    /// A prompt and what the models write behind it.
    public struct Sample: Encodable {
        /// The beginning of a window.
        public let prompt: String
        /// What the model writes.
        public let text: String
        /// What the model compared with writes.
        public let other: String?
    }
}

/// The score of a model in a task; absent figures need a model to compare with.
public struct TaskAnswer: Encodable {
    /// What is measured, such as `acc`.
    public let metric: String
    /// The score.
    public let value: Double
    /// Its standard error.
    public let stderr: Double
    /// How many items were asked.
    public let items: Int
    /// Other metrics by name.
    public let others: [String: Double]
    /// The metric of each item.
    public let scores: [Double]
    /// The score of the model compared with.
    public private(set) var dense: Double?
    /// Its other metrics.
    public private(set) var denseOthers: [String: Double]?
    /// The relative change from that model's score.
    public private(set) var relative: Double?
    /// The fraction of items that only one of both models has right.
    public private(set) var flips: Double?
    /// How likely as great a difference is by chance.
    public private(set) var pValue: Double?
    /// The perplexity, to the model compared with, of what the model wrote.
    public private(set) var perplexityOfAnswers: Double?

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
