/// One question of a task, with what answers it.
public enum TaskItem: Sendable, Equatable {
    /// A prompt, what may follow it, and which of these is right.
    case choice(prompt: String, choices: [String], gold: Int)
    /// A text and the words that end it.
    case lastWords(context: String, continuation: String)
    /// A sentence that is right, and one that differs from it and is wrong.
    case minimalPair(good: String, bad: String)
    /// A prompt, and answers any of which is right.
    case question(prompt: String, answers: [String])
    /// Two sentences, and people's score of how alike they are.
    case similarity(first: String, second: String, score: Double)

    /// What the item belongs to.
    public var kind: TaskKind {
        switch self {
        case .choice: .multipleChoice
        case .lastWords: .lastWords
        case .minimalPair: .minimalPairs
        case .question: .questions
        case .similarity: .similarity
        }
    }
}

/// How a task is asked and judged.
public enum TaskKind: String, Sendable, CaseIterable {
    /// The choice of greatest log-likelihood behind the prompt: `acc`, and `acc_norm` where
    /// likelihoods count per character. Without support in the text, as lm-evaluation-harness does.
    case multipleChoice = "multiple choice"
    /// Whether the likeliest tokens are the last words: `acc`.
    case lastWords = "last words"
    /// Whether the right sentence is the likelier one: `acc`.
    case minimalPairs = "minimal pairs"
    /// Whether what is written contains an answer: `contains`; also exact match `em` and the overlap
    /// of words `f1`, both as SQuAD counts them.
    case questions
    /// Spearman's correlation of the cosine of mean hidden states with the scores: `spearman`.
    case similarity
}

/// Questions of one kind.
public struct Task: Sendable {
    /// What it is called in results.
    public let name: String
    /// The kind of all items.
    public let kind: TaskKind
    /// The questions, at least one.
    public let items: [TaskItem]
    /// Solved questions that go before each prompt; may be empty.
    public let examples: String
}
