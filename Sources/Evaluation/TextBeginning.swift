public import Tokenizers

/// The place in a piece of text where a decoder's prompt begins: its first sentence.
public struct TextBeginning: Sendable {
    /// The tokens of the piece from this place to its end.
    public let tokens: [Int32]
    /// Whether a sentence begins at this place.
    ///
    /// If the piece has no beginning of a sentence, the tokens begin with the piece.
    public let isSentence: Bool

    /// Finds the first sentence of a piece, which may begin in the middle of a sentence.
    ///
    /// - Parameters:
    ///   - piece: Tokens of a text.
    ///   - startsText: Whether the piece is the beginning of the text.
    ///   - tokenizer: The tokenizer of the text.
    public init(of piece: [Int32], startsText: Bool = false, tokenizer: some Tokenizer) {
        let text = Array(tokenizer.decode(piece))
        guard !startsText, let start = Self.sentence(in: text.prefix(text.count * 3 / 4)) else {
            (tokens, isSentence) = (piece, startsText)
            return
        }
        tokens = tokenizer.encode(String(text[start...]), addingSpecialTokens: false)
        isSentence = true
    }

    /// Returns the first tokens.
    ///
    /// Fewer than `most` tokens are returned if the next token would continue a word.
    ///
    /// - Parameters:
    ///   - most: The maximum number of tokens, at least 1.
    ///   - tokenizer: The tokenizer.
    /// - Returns: At least one token, if there is one.
    public func prefix(_ most: Int, tokenizer: some Tokenizer) -> [Int32] {
        guard most < tokens.count else { return tokens }
        var next = tokenizer.decode(Array(tokens.prefix(most + 1)))
        for count in stride(from: most, to: 1, by: -1) {
            let text = tokenizer.decode(Array(tokens.prefix(count)))
            if next.dropFirst(text.count).first?.isWhitespace == true {
                return Array(tokens.prefix(count))
            }
            next = text
        }
        return Array(tokens.prefix(most))
    }

    /// Returns the index of the first sentence that follows the end of another sentence or of a
    /// line.
    static func sentence(in text: ArraySlice<Character>) -> Int? {
        var isPastEnd = false
        var isAfterSpace = false
        for place in text.indices {
            let character = text[place]
            if character.isNewline {
                (isPastEnd, isAfterSpace) = (true, true)
            } else if character.isWhitespace {
                isAfterSpace = true
            } else if isPastEnd, isAfterSpace,
                character.isUppercase || character.isNumber || "\"“‘«(".contains(character)
            {
                return place
            } else if ".!?…".contains(character) {
                (isPastEnd, isAfterSpace) = (true, false)
            } else if !isPastEnd || !"\"”’»)]'".contains(character) || isAfterSpace {
                (isPastEnd, isAfterSpace) = (false, false)
            }
        }
        return nil
    }
}
