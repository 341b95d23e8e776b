/// The tokens that open a text, end a text, and pad a batch.
struct SpecialTokens: Sendable {
    var beginning: Int32?
    var end: Int32?
    var padding: Int32?
}

extension SpecialTokens {
    /// Finds the tokens that `tokenizer_config.json` names, or otherwise BERT's tokens.
    ///
    /// - Parameters:
    ///   - configuration: The file's root, if there is one.
    ///   - id: Returns the id of a token with a text.
    init(_ configuration: JSONField?, id: (String) -> Int32?) {
        func find(_ keys: [String], _ standard: String) -> Int32? {
            for key in keys {
                guard let field = configuration?[key] else { break }
                for candidate in [field, field["content"]] {
                    if case .string(let token) = candidate.value, let id = id(token) { return id }
                }
            }
            return id(standard)
        }
        beginning = find(["bos_token", "cls_token"], "[CLS]")
        end = find(["eos_token", "sep_token"], "[SEP]")
        padding = find(["pad_token"], "[PAD]")
    }
}
