public import Foundation

/// One message of a conversation.
public struct ChatMessage: Sendable, Equatable {
    /// The role of the speaker, such as `system`, `user` or `assistant`.
    public let role: String
    /// The text of the message.
    public let content: String

    /// Creates a message.
    public init(role: String, content: String) {
        self.role = role
        self.content = content
    }
}

/// A model's `chat_template`.
///
/// It supports the part of Jinja that published templates use, with the settings of
/// `apply_chat_template` in transformers (`trim_blocks`, `lstrip_blocks`, `loopcontrols`).
///
/// Other constructs are refused with an error that names them. Tags are refused when the template
/// is read, all other constructs when they are evaluated.
public struct ChatTemplate: Sendable {
    private let nodes: [TemplateNode]

    /// Reads a template.
    ///
    /// - Parameter source: The template's text.
    /// - Throws: ``ChatTemplateError`` if it is not valid, or has a tag that is not supported.
    public init(_ source: String) throws(ChatTemplateError) {
        var lexer = TemplateLexer(source)
        var parser = TemplateParser(try lexer.pieces())
        nodes = try parser.document()
    }

    /// Formats a conversation with the model's markup.
    ///
    /// - Parameters:
    ///   - messages: The conversation.
    ///   - specialTokens: Special tokens by their names, such as `bos_token`.
    ///   - addingGenerationPrompt: Whether the markup that begins the model's answer is added.
    ///   - date: The date that `strftime_now` writes.
    /// - Returns: The prompt, with special tokens written out.
    /// - Throws: ``ChatTemplateError`` if the template refuses the conversation, or needs something
    ///   that is not supported.
    public func render(
        _ messages: [ChatMessage], specialTokens: [String: String] = [:],
        addingGenerationPrompt: Bool = true, date: Date = Date()
    ) throws(ChatTemplateError) -> String {
        var variables: [String: TemplateValue] = specialTokens.mapValues { .string($0) }
        variables["messages"] = .list(
            messages.map { message in
                .mapping(
                    TemplateMapping([
                        ("role", .string(message.role)), ("content", .string(message.content)),
                    ]))
            })
        variables["add_generation_prompt"] = .bool(addingGenerationPrompt)
        variables["tools"] = TemplateValue.null
        variables["documents"] = TemplateValue.null
        var evaluator = TemplateEvaluator(variables, date: date)
        return try evaluator.render(nodes)
    }
}
