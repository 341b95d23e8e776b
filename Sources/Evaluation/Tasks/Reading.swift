public import Tokenizers

/// A question, and a passage of which a span answers it, as an encoder that finds spans reads them.
public struct Reading: Sendable, Equatable {
    /// The question.
    public let question: String
    /// The passage.
    public let passage: String

    /// Creates a reading.
    public init(question: String, passage: String) {
        (self.question, self.passage) = (question, passage)
    }

    /// The most tokens of a window, and how many of the passage two windows share.
    ///
    /// As the examples of `transformers` have them.
    private static let (longest, shared) = (384, 128)

    /// The question with as much of the passage as goes with it.
    public struct Window: Sendable, Equatable {
        /// The tokens, special ones included.
        public let ids: [Int32]
        /// The segment of each.
        public let typeIDs: [Int32]
        /// The first token that is of the passage.
        let firstToken: Int
        /// The word of the passage that each of its tokens belongs to.
        let words: [Range<String.Index>]

        /// The tokens of a span of the passage; nil where it is not whole in the window.
        func tokens(of span: Range<String.Index>) -> ClosedRange<Int>? {
            guard let first = words.firstIndex(where: { $0.upperBound > span.lowerBound }),
                let last = words.lastIndex(where: { $0.lowerBound < span.upperBound }),
                words[first].lowerBound <= span.lowerBound,
                words[last].upperBound >= span.upperBound
            else { return nil }
            return firstToken + first...firstToken + last
        }

        /// The part of the passage from one token to another.
        func span(of tokens: ClosedRange<Int>) -> Range<String.Index> {
            let (first, last) = (tokens.lowerBound - firstToken, tokens.upperBound - firstToken)
            return words[first].lowerBound..<words[last].upperBound
        }
    }

    /// The windows that the passage takes.
    ///
    /// - Parameters:
    ///   - tokenizer: The model's.
    ///   - most: The tokens of its longest sequence.
    /// - Returns: At least one window.
    public func windows(by tokenizer: some Tokenizer, most: Int) -> [Window] {
        let most = min(most, Self.longest)
        var frame = tokenizer.encode(question, pair: "")
        if frame.ids.count > most / 2 {
            // Of a long question the end goes, for at least half of a window to be of the passage.
            let bare = tokenizer.encode("", pair: "").ids
            let head = zip(frame.ids, bare).prefix { $0 == $1 }.count
            let end = frame.ids.count - max(bare.count - head, 0)
            let cut = max(head, end - (frame.ids.count - most / 2))..<end
            frame.ids.removeSubrange(cut)
            frame.typeIDs.removeSubrange(cut)
        }
        var (tokens, words) = ([Int32](), [Range<String.Index>]())
        for word in passage.words {
            // A blank ahead belongs to the word for tokenizers that have it in tokens.
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

    /// The windows to train on, with where a span begins and ends in each: at the first token where
    /// it is not in the window.
    ///
    /// - Parameters:
    ///   - answers: Answers; where the first of them stands first is what is learnt.
    ///   - tokenizer: The model's.
    ///   - most: The tokens of its longest sequence.
    /// - Returns: The windows; none where the answer does not stand in the passage.
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
    /// Its words: runs of letters, runs of digits, and every other sign alone, blanks left out.
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
