public import Tokenizers

/// How the answers of a task are generated and scored: members of the first line of its file.
struct AnswerForm: Sendable, Equatable {
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
