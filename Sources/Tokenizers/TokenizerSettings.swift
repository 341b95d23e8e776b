/// Settings of `tokenizer_config.json` that have priority over `tokenizer.json` in `transformers`.
///
/// This module splits text as `tokenizer.json` says. If `tokenizer_config.json` contradicts it, the
/// tokenizer is refused, because one of the two files is wrong.
enum TokenizerSettings {
    /// Refuses settings that contradict a tokenizer.
    ///
    /// - Parameters:
    ///   - settings: The root of `tokenizer_config.json`.
    ///   - root: The root of `tokenizer.json`.
    /// - Throws: ``TokenizerError/contradiction(field:value:other:)``.
    static func check(_ settings: JSONField, _ root: JSONField) throws(TokenizerError) {
        // These classes belong to no model and use tokenizer.json as it is.
        let plain = ["PreTrainedTokenizerFast", "TokenizersBackend"]
        guard !plain.contains(settings["tokenizer_class"].value.string ?? "") else { return }
        let normalizer = root["normalizer"]
        if case .string("BertNormalizer") = normalizer["type"].value {
            for (name, other) in [
                ("do_lower_case", "lowercase"), ("strip_accents", "strip_accents"),
                ("tokenize_chinese_chars", "handle_chinese_chars"),
            ] {
                try agree(settings[name], normalizer[other])
            }
        }
        let preTokenizer = root["pre_tokenizer"]
        let parts = [preTokenizer] + ((try? preTokenizer["pretokenizers"].elements()) ?? [])
        for part in parts where part["type"].value.string == "ByteLevel" {
            try agree(settings["add_prefix_space"], part["add_prefix_space"])
        }
    }

    private static func agree(
        _ setting: JSONField, _ field: JSONField
    ) throws(TokenizerError) {
        guard case .bool(let expected) = setting.value, case .bool(let found) = field.value,
            expected != found
        else { return }
        throw .contradiction(field: setting.path, value: "\(expected)", other: field.path)
    }
}
