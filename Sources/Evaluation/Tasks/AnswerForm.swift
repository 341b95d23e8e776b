public import Tokenizers

/// How the answers of a task are generated and scored: members of the first line of its file.
struct AnswerForm: Sendable, Equatable {
    /// The text before every prompt; may be empty.
    var preamble = ""
    /// The texts at which an answer ends; nil if an answer is the first line with text.
    var stops: [String]?
    /// The maximum number of tokens of an answer; nil for the default of the task's kind.
    var tokens: Int?
    /// Whether answers to questions are scored by exact match as in lm-evaluation-harness.
    var isExact = false
    /// Whether exact match ignores English articles.
    var ignoresArticles = false
    /// Whether a prompt is formatted as a user's message with the model's chat template.
    var isChat = false

    /// Returns the first given member that has no meaning for a kind of task; nil if all have one.
    func unusedMember(for kind: TaskKind) -> String? {
        let areGenerated: Set<TaskKind> = [
            .questions, .summaries, .calculations, .instructions, .conversations,
        ]
        let havePrompts = areGenerated.subtracting([.conversations]).union([
            .multipleChoice, .partialChoice, .classification,
        ])
        let members = [
            ("preamble", !preamble.isEmpty && !havePrompts.contains(kind)),
            ("stops", stops != nil && (!areGenerated.contains(kind) || kind == .conversations)),
            ("tokens", tokens != nil && !areGenerated.contains(kind)),
            ("chat", isChat && !areGenerated.contains(kind)),
            ("metric", isExact && kind != .questions), ("ignore", ignoresArticles && !isExact),
        ]
        return members.first(where: \.1)?.0
    }
}

/// The chat markup of a model.
public struct ChatMarkup {
    /// Returns the prompt for the next message of a conversation.
    let prompt: ([ChatMessage]) throws -> String
    /// The tokens that end a message.
    let ends: Set<Int32>

    /// Creates the markup.
    ///
    /// - Parameters:
    ///   - ends: The tokens that end a message.
    ///   - prompt: Returns the prompt for the next message of a conversation.
    public init(ends: Set<Int32>, prompt: @escaping ([ChatMessage]) throws -> String) {
        (self.ends, self.prompt) = (ends, prompt)
    }
}
