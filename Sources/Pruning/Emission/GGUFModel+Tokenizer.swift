internal import ModelFiles
internal import Tokenizers
internal import Transformers

extension GGUFModel {
    /// The metadata of a tokenizer, and of the tokens for beginning, end and padding of texts.
    static func tokenizerMetadata(of checkpoint: Checkpoint) throws -> [String: GGUFValue] {
        guard let tokenizer = try checkpoint.tokenizer() as? BytePairTokenizer else {
            throw ModelFileError(
                file: checkpoint.path, subject: "tokenizer",
                problem: "only byte-level BPE tokenizers are written as GGUF",
                remedy: "choose another format")
        }
        var metadata = try tokenizer.ggufMetadata(tokens: checkpoint.shape.vocabularySize)
        let files = try checkpoint.tokenizerFiles()
        let configuration = try files["tokenizer_config.json"]
            .map { try JSONValue(parsing: Array($0), file: "tokenizer_config.json") }
        let template =
            configuration?.object?["chat_template"]?.string
            ?? files["chat_template.jinja"].map { String(decoding: $0, as: UTF8.self) }
        if let template { metadata["tokenizer.chat_template"] = .string(template) }
        try addSpecialTokens(to: &metadata, tokenizer, configuration, checkpoint)
        return metadata
    }

    /// Adds the special tokens that the tokenizer's own metadata lacks.
    ///
    /// The model's files name them: beginning, padding, unknown, and up to three end tokens.
    private static func addSpecialTokens(
        to metadata: inout [String: GGUFValue], _ tokenizer: BytePairTokenizer,
        _ configuration: JSONValue?, _ checkpoint: Checkpoint
    ) throws(ModelFileError) {
        let config = checkpoint.config
        func add(_ name: String, _ id: Int?) {
            let key = "tokenizer.ggml.\(name)_token_id"
            guard metadata[key] == nil, let id, 0..<checkpoint.shape.vocabularySize ~= id else {
                return
            }
            metadata[key] = .integer(id)
        }
        if config.members["bos_token_id"] != nil { add("bos", config.beginningTokens.first) }
        add("padding", config.paddingToken)
        let unknown = configuration?.object?["unk_token"]
        if let text = unknown?.string ?? unknown?.object?["content"]?.string {
            let ids = tokenizer.encode(text, addingSpecialTokens: false)
            add("unknown", ids.count == 1 ? ids.first.map { Int($0) } : nil)
        }
        // The tokenizer's end token is first; the others follow in the order of the model's files.
        var ends = tokenizer.endOfText.map { [Int($0)] } ?? []
        let others =
            config.endTokens + (try GenerationConfig(inDirectory: checkpoint.path).endTokens)
        for id in others where !ends.contains(id) { ends.append(id) }
        for (name, id) in zip(["eos", "eot", "eom"], ends) { add(name, id) }
    }
}
