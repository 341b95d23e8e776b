extension BytePairTokenizer {
    /// Creates the tokenizer that the metadata of a GGUF file describe.
    ///
    /// - Parameters:
    ///   - tokens: `tokenizer.ggml.tokens`.
    ///   - tokenTypes: `tokenizer.ggml.token_type`; 3 (control) and 4 (user defined) are found
    ///     in the text before it is split.
    ///   - merges: `tokenizer.ggml.merges`.
    ///   - preTokenizer: `tokenizer.ggml.pre`, llama.cpp's name of the splitting.
    ///   - beginningOfText: `tokenizer.ggml.bos_token_id`.
    ///   - endOfText: `tokenizer.ggml.eos_token_id`.
    ///   - padding: `tokenizer.ggml.padding_token_id`.
    ///   - addsBeginning: `tokenizer.ggml.add_bos_token`.
    /// - Throws: ``TokenizerError`` for an unknown name and for values that contradict each other.
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
}
