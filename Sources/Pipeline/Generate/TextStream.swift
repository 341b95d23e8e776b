internal import Tokenizers

/// Converts tokens to text as they are generated, and never returns part of a character.
///
/// A token may end inside a UTF-8 sequence. The incomplete sequence decodes to one replacement
/// character at the end of the text. That character is held back until the next token.
struct TextStream {
    private let tokenizer: any Tokenizer
    /// The tokens since the text was last complete.
    private var pending: [Int32] = []
    /// The number of Unicode scalars of the text of ``pending`` that were already returned.
    private var printed = 0

    init(_ tokenizer: any Tokenizer) {
        self.tokenizer = tokenizer
    }

    /// Adds a token, and returns the text that the token completes.
    mutating func add(_ token: Int32) -> String {
        pending.append(token)
        var scalars = Array(tokenizer.decode(pending).unicodeScalars)
        let isComplete = scalars.last != "\u{FFFD}"
        if !isComplete { scalars.removeLast() }
        let text = Self.string(scalars.dropFirst(printed))
        printed = isComplete ? 0 : scalars.count
        if isComplete { pending = [] }
        return text
    }

    /// Returns the text that was held back after the last token.
    mutating func finish() -> String {
        defer { pending = [] }
        return Self.string(Array(tokenizer.decode(pending).unicodeScalars).dropFirst(printed))
    }

    private static func string(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: scalars)
        return String(text)
    }
}
