import ModelFiles

extension BytePairTokenizer {
    /// Reads a `tokenizer.json` whose model is BPE.
    ///
    /// - Parameters:
    ///   - root: The file's root.
    ///   - configuration: The root of `tokenizer_config.json`, if there is one.
    ///   - limit: The number of tokens of the model.
    /// - Throws: ``TokenizerError`` for damaged fields, and for BPE that is not byte-level.
    init(_ root: JSONField, configuration: JSONField?, limit: Int) throws(TokenizerError) {
        let model = root["model"]
        for key in [
            "dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback",
        ] {
            try model[key].requireUnused()
        }
        let vocabulary = try Vocabulary(model["vocab"], limit: limit)
        let added = try AddedToken.list(root["added_tokens"], limit: limit)
        let unknown = model["unk_token"].isNull ? "" : try model["unk_token"].string()
        let postProcessor = try PostProcessor(root["post_processor"])
        var special = SpecialTokens(configuration) { token in
            added.first { $0.content.utf8.elementsEqual(token.utf8) }?.id
                ?? vocabulary.id(of: token)
        }
        if special.beginning == nil { special.beginning = postProcessor.opening }
        self.init(
            vocabulary: vocabulary, added: added,
            preTokenizer: try PreTokenizer(root["pre_tokenizer"]),
            postProcessor: postProcessor, special: special,
            table: MergeTable(try Self.merges(model["merges"], vocabulary)),
            unknown: unknown.isEmpty ? nil : vocabulary.id(of: unknown),
            fusesUnknown: try model["fuse_unk"].boolean(default: false),
            composes: try Self.composes(root["normalizer"]),
            keepsWholeWords: try model["ignore_merges"].boolean(default: false))
        try postProcessor.requireIDs(below: vocabularySize, root["post_processor"])
    }

    /// Creates a tokenizer from its parts.
    init(
        vocabulary: Vocabulary, added: [AddedToken], preTokenizer: PreTokenizer,
        postProcessor: PostProcessor, special: SpecialTokens, table: MergeTable, unknown: Int32?,
        fusesUnknown: Bool, composes: Bool, keepsWholeWords: Bool
    ) {
        self.vocabulary = vocabulary
        self.added = AddedVocabulary(added, normalize: Self.normalizer(composes: composes))
        self.preTokenizer = preTokenizer
        self.postProcessor = postProcessor
        self.special = special
        self.table = table
        bytes = ByteAlphabet.characters.map { vocabulary.id(of: String($0)) }
        self.unknown = unknown
        self.fusesUnknown = fusesUnknown
        self.composes = composes
        self.keepsWholeWords = keepsWholeWords
    }

    /// Reads merges.
    ///
    /// Each merge is a string with a space, or a pair of strings.
    private static func merges(
        _ field: JSONField, _ vocabulary: Vocabulary
    ) throws(TokenizerError) -> [MergeTable.Merge] {
        var merges: [MergeTable.Merge] = []
        for entry in try field.elements() {
            if case .string(let text) = entry.value {
                merges.append(try merge(text, path: entry.path, vocabulary))
                continue
            }
            let pair = try entry.elements()
            guard pair.count == 2 else { throw entry.malformed("expected two tokens") }
            merges.append(
                try merge(
                    try pair[0].string(), try pair[1].string(), path: entry.path, vocabulary))
        }
        return merges
    }

    /// Reads a merge that is written as `left right`.
    static func merge(
        _ text: String, path: String, _ vocabulary: Vocabulary
    ) throws(TokenizerError) -> MergeTable.Merge {
        let scalars = text.unicodeScalars
        guard let blank = scalars.dropFirst().firstIndex(of: " ") else {
            throw .malformed(field: path, problem: "expected two tokens with a space between them")
        }
        return try merge(
            String(scalars[..<blank]), String(scalars[scalars.index(after: blank)...]), path: path,
            vocabulary)
    }

    private static func merge(
        _ left: String, _ right: String, path: String, _ vocabulary: Vocabulary
    ) throws(TokenizerError) -> MergeTable.Merge {
        guard let leftID = vocabulary.id(of: left), let rightID = vocabulary.id(of: right),
            let joined = vocabulary.id(of: Array(left.utf8) + Array(right.utf8))
        else {
            throw .malformed(
                field: path,
                problem: "\(quoted(left)) + \(quoted(right)) has a token outside the "
                    + "vocabulary")
        }
        return MergeTable.Merge(left: leftID, right: rightID, joined: joined)
    }

    /// Returns whether the normaliser is NFC; false if there is no normaliser.
    private static func composes(_ field: JSONField) throws(TokenizerError) -> Bool {
        if field.isNull { return false }
        switch try field["type"].string() {
        case "NFC": return true
        case "Sequence" where try field["normalizers"].elements().isEmpty: return false
        case let other:
            throw .unsupported(field: field.path, value: quoted(other), supported: ["null", "NFC"])
        }
    }
}
