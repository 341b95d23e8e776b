/// Turns text into token ids and back.
public protocol Tokenizer: Sendable {
    /// The number of ids: the largest id plus one.
    var vocabularySize: Int { get }

    /// The token that opens a text, if the model has one.
    var beginningOfText: Int32? { get }

    /// The token that ends a text, if the model has one.
    var endOfText: Int32? { get }

    /// The padding token, if the model has one.
    var padding: Int32? { get }

    /// Returns the ids of a text, neither truncated nor padded.
    ///
    /// Special tokens that appear literally in the text are always recognised.
    /// `addingSpecialTokens` says whether the special tokens of the model's template are added
    /// around the text.
    func encode(_ text: String, addingSpecialTokens: Bool) -> [Int32]

    /// Returns the ids of two texts joined by the model's template, special tokens included.
    func encode(_ first: String, pair second: String) -> PairEncoding

    /// Returns the text of ids, with special tokens; unknown ids are ignored.
    func decode(_ ids: [Int32]) -> String
}

/// The ids of two joined texts.
public struct PairEncoding: Sendable, Equatable {
    /// The token ids.
    public var ids: [Int32]

    /// The token type id of every token: 0 or 1.
    public var typeIDs: [Int32]
}
