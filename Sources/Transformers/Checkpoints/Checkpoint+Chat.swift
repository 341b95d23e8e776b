internal import Foundation
internal import ModelFiles
public import Tokenizers

extension Checkpoint {
    /// Reads the chat template of the model.
    ///
    /// The template is `chat_template.jinja`, or else `chat_template` in `tokenizer_config.json`.
    /// In a GGUF file it is `tokenizer.chat_template`.
    ///
    /// - Returns: The template; nil if the model has none.
    /// - Throws: `ChatTemplateError` if the template is not valid or uses a feature that is not
    ///   supported, `ModelFileError` if a file is damaged.
    public func chatTemplate() throws -> ChatTemplate? {
        try chatTemplateText().map { try ChatTemplate($0) }
    }

    /// Returns a function that formats messages as a prompt with the model's chat template.
    ///
    /// - Parameter tokenizer: The model's tokenizer.
    /// - Returns: The function, which throws `ChatTemplateError`; nil if the model has no template.
    /// - Throws: The errors of ``chatTemplate()``.
    public func chatFormat(
        with tokenizer: some Tokenizer
    ) throws -> (([ChatMessage]) throws -> String)? {
        guard let template = try chatTemplate() else { return nil }
        let tokens = try specialTokenTexts(with: tokenizer)
        return { try template.render($0, specialTokens: tokens) }
    }

    /// Whether the model has a chat template, even one that cannot be read.
    public var hasChatTemplate: Bool {
        do { return try chatTemplateText() != nil } catch { return true }
    }

    private func chatTemplateText() throws(ModelFileError) -> String? {
        let key = "tokenizer.chat_template"
        if let gguf { return gguf.metadata[key] == nil ? nil : try gguf.string(key) }
        let file = path + "/chat_template.jinja"
        if FileManager.default.fileExists(atPath: file) {
            return String(decoding: try InputFile(path: file).bytes, as: UTF8.self)
        }
        let configuration = path + "/tokenizer_config.json"
        guard let value = try members(of: configuration)["chat_template"], value != .null else {
            return nil
        }
        if let text = value.string { return text }
        let named = (value.array ?? []).compactMap { entry -> (name: String, text: String)? in
            guard let name = entry.object?["name"]?.string,
                let text = entry.object?["template"]?.string
            else { return nil }
            return (name, text)
        }
        guard let template = named.first(where: { $0.name == "default" }) else {
            throw ModelFileError(
                file: configuration, subject: "chat_template",
                problem: "it is neither a string nor a list with a template named \"default\"",
                remedy: "use the tokenizer_config.json of the original model")
        }
        return template.text
    }

    /// The texts of the special tokens, keyed by their names in chat templates, such as
    /// `bos_token`.
    ///
    /// - Parameter tokenizer: The model's tokenizer.
    /// - Returns: The texts. A name is absent if the model has no such token.
    /// - Throws: `ModelFileError` if a file is damaged.
    func specialTokenTexts(
        with tokenizer: some Tokenizer
    ) throws(ModelFileError) -> [String: String] {
        var texts: [String: String] = [:]
        if gguf != nil {
            let ids = [
                ("bos_token", tokenizer.beginningOfText), ("eos_token", tokenizer.endOfText),
                ("pad_token", tokenizer.padding),
            ]
            for (name, id) in ids { texts[name] = id.map { tokenizer.decode([$0]) } }
            return texts
        }
        for file in ["special_tokens_map.json", "tokenizer_config.json"] {
            let members = try members(of: path + "/" + file)
            for name in ["bos", "eos", "unk", "pad", "sep", "cls", "mask"].map({ $0 + "_token" }) {
                let value = members[JSONKey(name)]
                if let text = value?.string ?? value?.object?["content"]?.string {
                    texts[name] = text
                }
            }
        }
        return texts
    }

    /// The members of a JSON file; empty if the file does not exist.
    private func members(of file: String) throws(ModelFileError) -> [JSONKey: JSONValue] {
        guard FileManager.default.fileExists(atPath: file) else { return [:] }
        return try JSONValue(parsing: InputFile(path: file).bytes, file: file).object ?? [:]
    }
}
