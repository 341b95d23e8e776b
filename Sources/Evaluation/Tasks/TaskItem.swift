/// One item of a task, with its answer.
public enum TaskItem: Sendable, Equatable {
    /// A prompt, possible continuations, and the index of the correct continuation.
    case choice(prompt: String, choices: [String], gold: Int)
    /// A text and its last words.
    case lastWords(context: String, continuation: String)
    /// A correct sentence, and a wrong sentence with a small difference.
    case minimalPair(good: String, bad: String)
    /// A prompt, the correct answers, and the question with its passage if it has a passage.
    case question(prompt: String, answers: [String], reading: Reading? = nil)
    /// Two sentences, and the similarity that people gave them.
    case similarity(first: String, second: String, score: Double)
    /// One or two texts, and the index of their label; for decoders also a prompt.
    case labelled(text: String, second: String?, prompt: String, label: Int)
    /// A prompt that contains a document, and a summary of the document.
    case document(prompt: String, summary: String)
    /// A query, and the grades of its relevant passages by their ids.
    case search(query: String, id: String, relevant: [String: Int])
    /// A query, passages that answer it, and passages that do not.
    case ranking(query: String, positive: [String], negative: [String])
    /// A text, and the name of its cluster.
    case clustered(text: String, cluster: String)
    /// Two texts, and whether they have the same meaning.
    case pair(first: String, second: String, isMatch: Bool)

    /// The kind of the item.
    public var kind: TaskKind {
        switch self {
        case .choice: .multipleChoice
        case .lastWords: .lastWords
        case .minimalPair: .minimalPairs
        case .question: .questions
        case .similarity: .similarity
        case .labelled: .classification
        case .document: .summaries
        case .search: .retrieval
        case .ranking: .reranking
        case .clustered: .clustering
        case .pair: .pairs
        }
    }
}

/// The kinds of tasks, and their metrics.
public enum TaskKind: String, Sendable, CaseIterable {
    /// The choice with the largest log-likelihood after the prompt: `acc`, or `acc_norm` with
    /// log-likelihoods divided by the number of characters.
    case multipleChoice = "multiple choice"
    /// Whether the most likely tokens are the last words: `acc`.
    case lastWords = "last words"
    /// Whether the correct sentence is more likely than the wrong sentence: `acc`.
    case minimalPairs = "minimal pairs"
    /// Whether the generated answer contains a correct answer: `contains`; also exact match `em`
    /// and the overlap of words `f1`, both as in SQuAD. For an encoder with a span head the answer
    /// is a span of the passage: `f1`; also `em` and `contains`.
    case questions
    /// Spearman's correlation of the scores with the outputs of a regression head, or, without a
    /// head, with the cosine of the sentences' vectors: `spearman`.
    case similarity
    /// For encoders, whether the correct label has the largest logit of the head. For decoders,
    /// whether its word is the most likely continuation of the prompt. The metric is `acc`; also
    /// Matthews' correlation coefficient `mcc`, and `f1`: that of label 1 if there are two labels,
    /// otherwise the mean over labels.
    case classification
    /// The similarity of the generated text to the summary: `rougeL`, `rouge1` and `rouge2`; also
    /// the fraction of repeated 4-grams: `repetition`.
    case summaries
    /// The ranks of the relevant passages among all passages, ordered by the cosine with the
    /// query's vector: `ndcg_at_10`; also `mrr_at_10`, `recall_at_10`, `recall_at_100` and
    /// `map_at_10`.
    case retrieval
    /// The ranks of positive passages among the passages of the query: `map`, and `mrr`.
    case reranking
    /// The agreement of the clusters that k-means finds with the correct clusters: `v_measure`.
    case clustering
    /// The labels that a logistic regression predicts, which is fitted to the vectors of a few texts
    /// of each label: `accuracy`, and `f1`, the mean over labels.
    case fewShot = "few-shot classification"
    /// The average precision of the cosine of pairs of texts: `cosine_ap`.
    case pairs = "pair classification"

    /// Whether the task compares the vectors of an encoder.
    public var comparesVectors: Bool {
        switch self {
        case .retrieval, .reranking, .clustering, .fewShot, .pairs: true
        default: false
        }
    }
}

/// A task: items of one kind.
public struct EvaluationTask: Sendable {
    /// The name of the task in results.
    public let name: String
    /// The kind of all items.
    public let kind: TaskKind
    /// The items, at least one.
    public let items: [TaskItem]
    /// The words of labels, which a decoder predicts; may be empty.
    public let labels: [String]
    /// Items with their answers that are put before each prompt; may be empty.
    public let examples: String
    /// The text between a prompt and its continuation.
    let delimiter: Delimiter
    /// What the task adds to the texts of an encoder, and compares them with.
    var vectors = VectorOptions()

    /// Returns a copy of the task with other items of the same kind.
    public func asking(_ items: [TaskItem]) -> EvaluationTask {
        EvaluationTask(
            name: name, kind: kind, items: items, labels: labels, examples: examples,
            delimiter: delimiter, vectors: vectors)
    }

    /// The largest label of an item; 0 if no item has one.
    public var maximumLabel: Int {
        items.reduce(0) { maximum, item in
            if case .labelled(_, _, _, let label) = item { max(maximum, label) } else { maximum }
        }
    }
}

/// The text between a prompt and its continuation, choice, label, answer or summary.
struct Delimiter: Sendable, Equatable {
    /// The delimiter that the task names; nil for the default.
    let given: String?

    /// Returns the delimiter before a text that follows a prompt.
    ///
    /// By default it is a space, as in lm-evaluation-harness, unless there is white space already.
    func before(_ text: String, after prompt: String) -> String {
        if let given { return given }
        let isApart = text.first?.isWhitespace ?? false || prompt.last?.isWhitespace ?? false
        return isApart ? "" : " "
    }
}
