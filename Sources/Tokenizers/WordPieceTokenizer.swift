import ModelFiles

/// BERT's tokenizer: words are split into the longest pieces that the vocabulary has.
public struct WordPieceTokenizer: Tokenizer {
    let vocabulary: Vocabulary
    let normalizer: BertNormalizer
    let added: AddedVocabulary
    let postProcessor: PostProcessor
    let special: SpecialTokens
    /// The prefix of a piece within a word, such as `##`.
    let prefix: [UInt8]
    let unknown: Int32
    let longestWord: Int
    /// The prefix that the decoder removes from a piece to join the piece to the previous piece.
    let decodedPrefix: String
    /// Whether the decoder removes spaces before punctuation.
    let cleansUp: Bool

    /// The number of ids: the largest id plus one.
    public var vocabularySize: Int {
        max(vocabulary.size, added.size)
    }

    /// The token that opens a text, `[CLS]`.
    public var beginningOfText: Int32? { special.beginning }

    /// The token that ends a text, `[SEP]`.
    public var endOfText: Int32? { special.end }

    /// The padding token, `[PAD]`.
    public var padding: Int32? { special.padding }

    /// Returns the ids of a text, neither truncated nor padded.
    public func encode(_ text: String, addingSpecialTokens: Bool) -> [Int32] {
        let ids = ids(of: text)
        return addingSpecialTokens ? postProcessor.apply(ids).ids : ids
    }

    /// Returns the ids of two texts joined by the model's template, special tokens included.
    public func encode(_ first: String, pair second: String) -> PairEncoding {
        postProcessor.apply(ids(of: first), ids(of: second))
    }

    private func ids(of text: String) -> [Int32] {
        var ids: [Int32] = []
        var cache: [[UInt8]: [Int32]] = [:]
        for segment in added.segments(of: text, normalize: normalizer.normalize) {
            switch segment {
            case .token(let id): ids.append(id)
            case .text(let bytes):
                Self.forEachWord(of: bytes) { word in
                    if let known = cache[word] {
                        ids += known
                    } else {
                        let pieces = pieces(of: word)
                        cache[word] = pieces
                        ids += pieces
                    }
                }
            }
        }
        return ids
    }

    /// Calls `body` with every run of characters between white space, and with every punctuation
    /// mark by itself.
    private static func forEachWord(of text: [UInt8], _ body: ([UInt8]) -> Void) {
        var (start, index) = (0, 0)
        while index < text.count {
            let scalar = text.scalar(at: index)
            let end = text.endOfScalar(at: index)
            let isPunctuation = scalar.isBertPunctuation
            if isPunctuation || scalar.isSpace {
                if start < index { body(Array(text[start..<index])) }
                if isPunctuation { body(Array(text[index..<end])) }
                start = end
            }
            index = end
        }
        if start < index { body(Array(text[start...])) }
    }

    /// Splits a word from the left into pieces that are as long as possible.
    ///
    /// If no piece of the vocabulary fits, the word becomes the unknown token.
    private func pieces(of word: [UInt8]) -> [Int32] {
        let characters = word.indices.count { !word.continuesScalar(at: $0) }
        guard characters <= longestWord else { return [unknown] }
        var pieces: [Int32] = []
        var start = 0
        while start < word.count {
            let lead = start == 0 ? [] : prefix
            var end = min(word.count, start + vocabulary.longest)
            while end < word.count, word.continuesScalar(at: end) { end -= 1 }
            var piece: Int32?
            while piece == nil, end > start {
                piece = vocabulary.id(of: lead + word[start..<end])
                if piece == nil { end = word.startOfScalar(before: end) }
            }
            guard let piece else { return [unknown] }
            pieces.append(piece)
            start = end
        }
        return pieces
    }

    /// Returns the text of ids, with special tokens; unknown ids are ignored.
    public func decode(_ ids: [Int32]) -> String {
        var text = ""
        var isFirst = true
        for id in ids {
            guard let token = added.spellings[id] ?? vocabulary.tokens[id] else { continue }
            if isFirst {
                text += cleansUp ? Self.cleaned(token) : token
            } else if !decodedPrefix.isEmpty, token.utf8.starts(with: decodedPrefix.utf8) {
                let rest = String(
                    token.unicodeScalars.dropFirst(decodedPrefix.unicodeScalars.count))
                text += cleansUp ? Self.cleaned(rest) : rest
            } else {
                text += cleansUp ? Self.cleaned(" " + token) : " " + token
            }
            isFirst = false
        }
        return text
    }

    /// Returns a token without the space before punctuation and before contractions such as `'s`.
    private static func cleaned(_ token: String) -> String {
        guard token.utf8.contains(where: ".?!,'".utf8.contains) else { return token }
        var text = token
        for ending in [".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"] {
            text = text.replacing(" " + ending, with: ending)
        }
        return text
    }
}

extension WordPieceTokenizer {
    /// Reads a `tokenizer.json` whose model is WordPiece.
    ///
    /// - Parameters:
    ///   - root: The file's root.
    ///   - configuration: The root of `tokenizer_config.json`, if there is one.
    ///   - limit: The number of tokens of the model.
    /// - Throws: ``TokenizerError`` for damaged fields, and for settings that BERT does not use.
    init(_ root: JSONField, configuration: JSONField?, limit: Int) throws(TokenizerError) {
        let model = root["model"]
        let vocabulary = try Vocabulary(model["vocab"], limit: limit)
        self.vocabulary = vocabulary
        let unknownToken = model["unk_token"]
        guard let unknown = vocabulary.id(of: try unknownToken.string()) else {
            throw unknownToken.malformed("the token is not in the vocabulary")
        }
        self.unknown = unknown
        prefix = Array(try model["continuing_subword_prefix"].string().utf8)
        longestWord = Int(try model["max_input_chars_per_word"].integer())

        let normalizer = try BertNormalizer(root["normalizer"])
        self.normalizer = normalizer
        let preTokenizer = root["pre_tokenizer"]["type"]
        guard case .string("BertPreTokenizer") = preTokenizer.value else {
            throw .unsupported(
                field: preTokenizer.path, value: preTokenizer.shown,
                supported: ["BertPreTokenizer"])
        }
        added = AddedVocabulary(
            try AddedToken.list(root["added_tokens"], limit: limit),
            normalize: normalizer.normalize)
        postProcessor = try PostProcessor(root["post_processor"])
        try postProcessor.requireIDs(
            below: max(vocabulary.size, added.size), root["post_processor"])
        let decoder = root["decoder"]
        decodedPrefix = decoder.isNull ? "" : try decoder["prefix"].string()
        cleansUp = try decoder["cleanup"].boolean(default: false)
        special = SpecialTokens(configuration, id: vocabulary.id(of:))
    }
}

extension BertNormalizer {
    /// Reads `normalizer` of a `tokenizer.json`; if absent, text is not changed.
    init(_ field: JSONField) throws(TokenizerError) {
        if field.isNull {
            self.init(
                cleansText: false, isolatesChinese: false, stripsAccents: false, lowercases: false)
            return
        }
        let type = try field["type"].string()
        guard type == "BertNormalizer" else {
            throw .unsupported(
                field: field.path, value: quoted(type), supported: ["BertNormalizer"])
        }
        self.init()
        cleansText = try field["clean_text"].boolean(default: true)
        isolatesChinese = try field["handle_chinese_chars"].boolean(default: true)
        lowercases = try field["lowercase"].boolean(default: true)
        stripsAccents = try field["strip_accents"].boolean(default: lowercases)
    }
}
