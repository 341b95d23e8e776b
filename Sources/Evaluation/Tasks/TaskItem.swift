/// One item of a task, with its answer.
public enum TaskItem: Sendable, Equatable {
    /// A prompt, possible continuations, and the index of the correct continuation.
    case choice(prompt: String, choices: [String], gold: Int)
    /// Contexts that differ in one place, the continuation that they share, and the index of the
    /// correct context.
    case partial(contexts: [String], continuation: String, gold: Int)
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
    /// A prompt that asks for a number, and an answer that ends with `#### ` and the number.
    case calculation(prompt: String, answer: String)
    /// A prompt, and its instructions that a program can check.
    case instructed(prompt: String, instructions: [WrittenInstruction])
    /// A text to predict, and the text whose words and bytes are counted.
    case page(text: String, original: String)
    /// The messages of a user, each of which the model answers.
    case conversation(turns: [String])
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
        case .partial: .partialChoice
        case .lastWords: .lastWords
        case .minimalPair: .minimalPairs
        case .question: .questions
        case .similarity: .similarity
        case .labelled: .classification
        case .document: .summaries
        case .calculation: .calculations
        case .instructed: .instructions
        case .page: .pages
        case .conversation: .conversations
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
    /// The context after which the shared continuation has the largest log-likelihood: `acc`.
    case partialChoice = "partial scoring"
    /// Whether the most likely tokens are the last words: `acc`.
    case lastWords = "last words"
    /// Whether the correct sentence is more likely than the wrong sentence: `acc`.
    case minimalPairs = "minimal pairs"
    /// Whether the generated answer contains a correct answer: `contains`; also exact match `em`
    /// and the overlap of words `f1`, both as in SQuAD. If the task says so, the metric is
    /// `exact_match` of lm-evaluation-harness. For an encoder with a span head the answer is a span
    /// of the passage: `f1`; also `em` and `contains`.
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
    /// the fraction of repeated 4-grams `repetition`, and the numbers of tokens `length` and of
    /// different tokens `unique`.
    case summaries
    /// Whether the number after `####` in the generated answer is correct: `exact_match`; also
    /// whether the last number is correct: `flexible`.
    case calculations
    /// Whether the generated answer follows all instructions: `prompt_level_strict_acc`; also the
    /// fraction of instructions, and both after markup around the answer has been removed.
    case instructions
    /// The information of a text under the model: `bits_per_byte`, `byte_perplexity` and
    /// `word_perplexity`.
    case pages
    /// The length of the generated answers in tokens: `length`; also `unique` and `repetition`. A
    /// judge compares the answers with those of another model.
    case conversations
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
    /// How answers are generated and scored.
    var form = AnswerForm()
    /// The subject of each item; empty if no item has a subject.
    var subjects: [String] = []
    /// The number of items of the file that cannot be scored.
    var leftOut = 0
    /// What the task adds to the texts of an encoder, and compares them with.
    var vectors = VectorOptions()

    /// Returns a copy of the task with other items of the same kind.
    public func asking(_ items: [TaskItem]) -> EvaluationTask {
        EvaluationTask(
            name: name, kind: kind, items: items, labels: labels, examples: examples,
            delimiter: delimiter, form: form, vectors: vectors)
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
