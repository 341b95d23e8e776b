import ModelFiles

/// The tokens of a model, by id and by exact spelling.
struct Vocabulary: Sendable {
    /// The token of every id.
    private(set) var tokens: [Int32: String] = [:]
    /// The id of every token by its UTF-8 bytes.
    ///
    /// Strings are not suitable as keys, because canonically equivalent strings are equal.
    private var ids: [[UInt8]: Int32] = [:]
    /// The largest id plus one.
    private(set) var size = 0
    /// The length of the longest token in UTF-8.
    private(set) var longest = 0

    /// Adds a token.
    ///
    /// It replaces an earlier token with the same spelling or id.
    mutating func add(_ token: String, id: Int32) {
        let spelling = Array(token.utf8)
        tokens[id] = token
        ids[spelling] = id
        size = max(size, Int(id) + 1)
        longest = max(longest, spelling.count)
    }

    /// Returns the id of a token with this spelling.
    func id(of token: String) -> Int32? { ids[Array(token.utf8)] }

    /// Returns the id of a token with this UTF-8.
    func id(of spelling: [UInt8]) -> Int32? { ids[spelling] }
}

extension Vocabulary {
    /// Reads `model.vocab` of a `tokenizer.json`, for a model with `limit` tokens.
    init(_ field: JSONField, limit: Int) throws(TokenizerError) {
        for (key, value) in try field.members() {
            let entry = JSONField(path: "\(field.path): \(quoted(key.text))", value: value)
            let id = try entry.integer()
            if let other = tokens[id] {
                throw entry.malformed("id \(id) also belongs to \(quoted(other))")
            }
            add(key.text, id: id)
        }
        guard size <= limit else {
            throw .foreign(field: field.path, tokens: size, limit: limit)
        }
    }
}

extension AddedToken {
    /// Reads `added_tokens` of a `tokenizer.json`.
    ///
    /// Tokens beyond the limit are ignored: some models have no weights for them.
    static func list(_ field: JSONField, limit: Int) throws(TokenizerError) -> [AddedToken] {
        if field.isNull { return [] }
        var tokens: [AddedToken] = []
        for entry in try field.elements() {
            let isSpecial = try entry["special"].boolean(default: false)
            tokens.append(
                AddedToken(
                    id: try entry["id"].integer(), content: try entry["content"].string(),
                    isSpecial: isSpecial,
                    isSingleWord: try entry["single_word"].boolean(default: false),
                    stripsLeft: try entry["lstrip"].boolean(default: false),
                    stripsRight: try entry["rstrip"].boolean(default: false),
                    isNormalized: try entry["normalized"].boolean(default: !isSpecial)))
        }
        return tokens.filter { $0.id < limit }
    }
}
