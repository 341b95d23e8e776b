/// One question of a task, with what answers it.
public enum TaskItem: Sendable, Equatable {
    /// A prompt, what may follow it, and which of these is right.
    case choice(prompt: String, choices: [String], gold: Int)
    /// A text and the words that end it.
    case lastWords(context: String, continuation: String)
    /// A sentence that is right, and one that differs from it and is wrong.
    case minimalPair(good: String, bad: String)
    /// A prompt, answers any of which is right, and where the passage is given, what to read.
    case question(prompt: String, answers: [String], reading: Reading? = nil)
    /// Two sentences, and people's score of how alike they are.
    case similarity(first: String, second: String, score: Double)
    /// A text, or two, and the index of its label; for decoders the same as a prompt.
    case labelled(text: String, second: String?, prompt: String, label: Int)
    /// A prompt that holds a document, and a summary of it.
    case document(prompt: String, summary: String)

    /// What the item belongs to.
    public var kind: TaskKind {
        switch self {
        case .choice: .multipleChoice
        case .lastWords: .lastWords
        case .minimalPair: .minimalPairs
        case .question: .questions
        case .similarity: .similarity
        case .labelled: .classification
        case .document: .summaries
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
    /// of words `f1`, both as SQuAD counts them. An encoder that finds spans gives one of the
    /// passage: `f1`; also `em` and `contains`.
    case questions
    /// Spearman's correlation of the scores with what a regression head says, and without one with
    /// the cosine of the sentences' vectors: `spearman`.
    case similarity
    /// Whether the head's greatest logit is of the right label, for decoders whether its word is the
    /// likeliest behind the prompt: `acc`; also `f1`, of label 1 where there are two, else the mean
    /// over labels, and Matthews' correlation `mcc`.
    case classification
    /// How far what is written behind the prompt is the summary: `rougeL`, `rouge1` and `rouge2`, and
    /// how much of it repeats itself: `repetition`.
    case summaries
}

/// Questions of one kind.
public struct Task: Sendable {
    /// What it is called in results.
    public let name: String
    /// The kind of all items.
    public let kind: TaskKind
    /// The questions, at least one.
    public let items: [TaskItem]
    /// The words of labels, by which a decoder tells them; may be empty.
    public let labels: [String]
    /// Solved questions that go before each prompt; may be empty.
    public let examples: String
    /// What stands between a prompt and what follows it.
    let delimiter: Delimiter

    /// The same task of other items of its kind.
    public func asking(_ items: [TaskItem]) -> Task {
        Task(
            name: name, kind: kind, items: items, labels: labels, examples: examples,
            delimiter: delimiter)
    }

    /// The greatest label that an item has; 0 where none has one.
    public var greatestLabel: Int {
        items.reduce(0) { greatest, item in
            if case .labelled(_, _, _, let label) = item { max(greatest, label) } else { greatest }
        }
    }
}

/// What stands between a prompt and its continuation, choice, label, answer or summary.
struct Delimiter: Sendable, Equatable {
    /// What the task names; nil where it names nothing.
    let given: String?

    /// What goes before a text that follows a prompt: by default a space, as in
    /// lm-evaluation-harness, unless there is white space already.
    func before(_ text: String, behind prompt: String) -> String {
        if let given { return given }
        let isApart = text.first?.isWhitespace ?? false || prompt.last?.isWhitespace ?? false
        return isApart ? "" : " "
    }
}
