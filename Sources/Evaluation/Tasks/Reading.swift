public import Tokenizers

/// A question and a passage.
///
/// The answer is a span of the passage, which an encoder with a span head finds.
public struct Reading: Sendable, Equatable {
    /// The question.
    public let question: String
    /// The passage.
    public let passage: String

    /// Creates a reading.
    public init(question: String, passage: String) {
        (self.question, self.passage) = (question, passage)
    }

    /// The maximum number of tokens of a window, and the number of tokens of the passage that two
    /// successive windows share.
    ///
    /// These are the values of the examples of `transformers`.
    private static let (longest, shared) = (384, 128)

    /// The question with a part of the passage.
    public struct Window: Sendable, Equatable {
        /// The tokens, including special tokens.
        public let ids: [Int32]
        /// The token type id of each token.
        public let typeIDs: [Int32]
        /// The first token of the passage.
        let firstToken: Int
        /// The word of the passage that each token of the passage belongs to.
        let words: [Range<String.Index>]

        /// Returns the tokens of a span of the passage; nil if the window does not contain all of
        /// it.
        func tokens(of span: Range<String.Index>) -> ClosedRange<Int>? {
            guard let first = words.firstIndex(where: { $0.upperBound > span.lowerBound }),
                let last = words.lastIndex(where: { $0.lowerBound < span.upperBound }),
                words[first].lowerBound <= span.lowerBound,
                words[last].upperBound >= span.upperBound
            else { return nil }
            return firstToken + first...firstToken + last
        }

        /// Returns the span of the passage from one token to another token.
        func span(of tokens: ClosedRange<Int>) -> Range<String.Index> {
            let (first, last) = (tokens.lowerBound - firstToken, tokens.upperBound - firstToken)
            return words[first].lowerBound..<words[last].upperBound
        }
    }

    /// Returns windows that cover the passage.
    ///
    /// - Parameters:
    ///   - tokenizer: The model's tokenizer.
    ///   - most: The maximum number of tokens of the model.
    /// - Returns: At least one window.
    public func windows(by tokenizer: some Tokenizer, most: Int) -> [Window] {
        let most = min(most, Self.longest)
        var frame = tokenizer.encode(question, pair: "")
        if frame.ids.count > most / 2 {
            // The end of a long question is cut off, so that at least half of a window is for the
            // passage.
            let bare = tokenizer.encode("", pair: "").ids
            let head = zip(frame.ids, bare).prefix { $0 == $1 }.count
            let end = frame.ids.count - max(bare.count - head, 0)
            let cut = max(head, end - (frame.ids.count - most / 2))..<end
            frame.ids.removeSubrange(cut)
            frame.typeIDs.removeSubrange(cut)
        }
        var (tokens, words) = ([Int32](), [Range<String.Index>]())
        for word in passage.words {
            // A space before a word belongs to the word if the tokenizer has spaces in its tokens.
            let isApart =
                word.lowerBound > passage.startIndex
                && passage[passage.index(before: word.lowerBound)].isWhitespace
            let ids = tokenizer.encode(
                (isApart ? " " : "") + passage[word], addingSpecialTokens: false)
            tokens += ids
            words += ids.map { _ in word }
        }
        let room = max(1, most - frame.ids.count)
        let step = max(1, room - min(Self.shared, room / 2))
        let place = frame.ids.count - 1
        var windows: [Window] = []
        var first = 0
        repeat {
            let taken = first..<min(first + room, tokens.count)
            let type = frame.typeIDs.last ?? 0
            windows.append(
                Window(
                    ids: frame.ids.prefix(place) + tokens[taken] + frame.ids.suffix(1),
                    typeIDs: frame.typeIDs + taken.map { _ in type }, firstToken: place,
                    words: Array(words[taken])))
            if taken.upperBound == tokens.count { break }
            first += step
        } while true
        return windows
    }

    /// Returns windows to train on, each with the first and the last token of the answer.
    ///
    /// In a window without the answer, both are the first token of the window.
    ///
    /// - Parameters:
    ///   - answers: The answers. The first occurrence of the first answer is the target.
    ///   - tokenizer: The model's tokenizer.
    ///   - most: The maximum number of tokens of the model.
    /// - Returns: The windows; none if the passage does not contain the answer.
    public func examples(
        _ answers: [String], by tokenizer: some Tokenizer, most: Int
    ) -> [(window: Window, first: Int, last: Int)] {
        guard let answer = answers.first, let span = passage.firstRange(of: answer) else {
            return []
        }
        return windows(by: tokenizer, most: most).map { window in
            let tokens = window.tokens(of: span)
            return (window, tokens?.lowerBound ?? 0, tokens?.upperBound ?? 0)
        }
    }
}

extension String {
    /// The words of the string: runs of letters, runs of digits, and every other character that is
    /// not white space.
    fileprivate var words: [Range<Index>] {
        var words: [Range<Index>] = []
        var start = startIndex
        while start < endIndex {
            let first = self[start]
            var end = index(after: start)
            if first.isLetter {
                while end < endIndex, self[end].isLetter { end = index(after: end) }
            } else if first.isNumber {
                while end < endIndex, self[end].isNumber { end = index(after: end) }
            }
            if !first.isWhitespace { words.append(start..<end) }
            start = end
        }
        return words
    }
}
