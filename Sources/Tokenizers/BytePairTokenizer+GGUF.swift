public import ModelFiles

extension BytePairTokenizer {
    /// Creates the tokenizer that the metadata of a GGUF file describes.
    ///
    /// - Parameters:
    ///   - tokens: `tokenizer.ggml.tokens`.
    ///   - tokenTypes: `tokenizer.ggml.token_type`. Tokens of the types 3 (control) and 4 (user
    ///     defined) are searched for in the text before it is split.
    ///   - merges: `tokenizer.ggml.merges`.
    ///   - preTokenizer: `tokenizer.ggml.pre`, llama.cpp's name of the pre-tokenizer.
    ///   - beginningOfText: `tokenizer.ggml.bos_token_id`.
    ///   - endOfText: `tokenizer.ggml.eos_token_id`.
    ///   - padding: `tokenizer.ggml.padding_token_id`.
    ///   - addsBeginning: `tokenizer.ggml.add_bos_token`.
    /// - Throws: ``TokenizerError`` for an unknown pre-tokenizer, or for values that contradict
    ///   each other.
    public init(
        tokens: [String], tokenTypes: [Int]?, merges: [String], preTokenizer: String,
        beginningOfText: Int32?, endOfText: Int32?, padding: Int32? = nil, addsBeginning: Bool
    ) throws(TokenizerError) {
        guard tokens.count <= Int(Int32.max), tokenTypes.map({ $0.count == tokens.count }) ?? true
        else {
            throw .malformed(
                field: "tokenizer.ggml.token_type",
                problem: "\(tokenTypes?.count ?? 0) types for \(tokens.count) tokens")
        }
        for (key, id) in [
            ("bos", beginningOfText), ("eos", endOfText), ("padding", padding),
        ] {
            guard let id, !tokens.indices.contains(Int(id)) else { continue }
            throw .malformed(
                field: "tokenizer.ggml.\(key)_token_id",
                problem: "\(id) is outside the \(tokens.count) tokens")
        }
        var vocabulary = Vocabulary()
        var added: [AddedToken] = []
        for (index, token) in tokens.enumerated() {
            let id = Int32(truncatingIfNeeded: index)
            vocabulary.add(token, id: id)
            if let type = tokenTypes?[index], type == 3 || type == 4 {
                added.append(AddedToken(id: id, content: token, isSpecial: type == 3))
            }
        }
        var found: [MergeTable.Merge] = []
        for (index, merge) in merges.enumerated() {
            found.append(
                try Self.merge(merge, path: "tokenizer.ggml.merges[\(index)]", vocabulary))
        }
        var postProcessor = PostProcessor()
        if addsBeginning {
            guard let beginningOfText else {
                throw .malformed(
                    field: "tokenizer.ggml.add_bos_token", problem: "there is no bos_token_id")
            }
            postProcessor.single.insert(.tokens([beginningOfText], typeID: 0), at: 0)
            postProcessor.pair = [
                .tokens([beginningOfText], typeID: 0), .first(typeID: 0),
                .tokens([beginningOfText], typeID: 1), .second(typeID: 1),
            ]
        }
        self.init(
            vocabulary: vocabulary, added: added,
            preTokenizer: try PreTokenizer(named: preTokenizer), postProcessor: postProcessor,
            special: SpecialTokens(
                beginning: beginningOfText, end: endOfText, padding: padding),
            table: MergeTable(found), unknown: nil, fusesUnknown: false, composes: false,
            keepsWholeWords: preTokenizer == "llama-bpe")
    }

    /// Returns GGUF metadata of a tokenizer that gives the same ids for every text.
    ///
    /// - Parameter count: The number of tokens of the model, which may be larger than that of the
    ///   tokenizer. Additional tokens are marked as unused.
    /// - Returns: Values by key.
    /// - Throws: ``TokenizerError`` if llama.cpp has no name for the pre-tokenizer.
    public func ggufMetadata(tokens count: Int) throws(TokenizerError) -> [String: GGUFValue] {
        guard let name = preTokenizer.name else {
            throw .unsupported(
                field: "pre_tokenizer", value: "a splitting without a name in llama.cpp",
                supported: ["gpt-2", "llama-bpe", "qwen2", "smollm"])
        }
        var (tokens, types) = ([String](), [Int]())
        let special = Dictionary(added.tokens.map { ($0.id, $0) }) { _, last in last }
        for id in 0..<Int32(max(count, vocabularySize)) {
            let known = added.spellings[id] ?? vocabulary.tokens[id]
            tokens.append(known ?? "[PAD\(id)]")
            types.append(special[id].map { $0.isSpecial ? 3 : 4 } ?? (known == nil ? 5 : 1))
        }
        var metadata: [String: GGUFValue] = [
            "tokenizer.ggml.model": .string("gpt2"), "tokenizer.ggml.pre": .string(name),
            "tokenizer.ggml.tokens": .strings(tokens),
            "tokenizer.ggml.token_type": .integers(types),
            "tokenizer.ggml.merges": .strings(
                table.merges.map {
                    "\(vocabulary.tokens[$0.left] ?? "") \(vocabulary.tokens[$0.right] ?? "")"
                }),
            "tokenizer.ggml.add_bos_token": .bool(
                beginningOfText != nil && postProcessor.opening == beginningOfText),
        ]
        for (key, id) in [("bos", beginningOfText), ("eos", endOfText), ("padding", padding)] {
            metadata["tokenizer.ggml.\(key)_token_id"] = id.map { .integer(Int($0)) }
        }
        return metadata
    }
}
