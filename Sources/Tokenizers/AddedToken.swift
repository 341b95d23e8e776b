/// A token that is searched for in the text before the text is split.
struct AddedToken: Sendable {
    var id: Int32
    var content: String
    /// Whether the token is a control token of the model rather than text.
    var isSpecial = true
    /// Whether the token is matched only if no letter or digit is next to it.
    var isSingleWord = false
    /// Whether a match includes the white space before it.
    var stripsLeft = false
    /// Whether a match includes the white space after it.
    var stripsRight = false
    /// Whether the token is searched for in the normalised text instead of the original text.
    var isNormalized = false
}

/// A part of a text.
enum Segment {
    case token(Int32)
    case text([UInt8])
}

/// All added tokens of a vocabulary.
struct AddedVocabulary: Sendable {
    /// The tokens in the order of the file.
    let tokens: [AddedToken]
    /// The text of every token, for decoding.
    let spellings: [Int32: String]
    /// The largest id plus one.
    let size: Int
    private let original: AddedTokenMatcher
    private let normalized: AddedTokenMatcher

    /// Creates the matchers of added tokens.
    ///
    /// `normalize` is the tokenizer's normaliser.
    init(_ tokens: [AddedToken], normalize: ([UInt8]) -> [UInt8]) {
        self.tokens = tokens
        original = AddedTokenMatcher(
            tokens.filter { !$0.isNormalized }.map { (Array($0.content.utf8), $0) })
        let changed = tokens.filter(\.isNormalized).map { token in
            (bytes: normalize(Array(token.content.utf8)), token: token)
        }
        normalized = AddedTokenMatcher(changed)
        var spellings: [Int32: String] = [:]
        for token in tokens { spellings[token.id] = token.content }
        for (bytes, token) in changed {
            spellings[token.id] = String(decoding: bytes, as: UTF8.self)
        }
        self.spellings = spellings
        size = tokens.map { Int($0.id) + 1 }.max() ?? 0
    }

    /// Splits a text into added tokens and normalised text between them.
    func segments(of text: String, normalize: ([UInt8]) -> [UInt8]) -> [Segment] {
        var segments: [Segment] = []
        for segment in original.split(Array(text.utf8)) {
            switch segment {
            case .token: segments.append(segment)
            case .text(let bytes): segments += normalized.split(normalize(bytes))
            }
        }
        return segments
    }
}

/// Finds tokens in UTF-8 text: the leftmost match, and the longest of several matches there.
struct AddedTokenMatcher: Sendable {
    private let patterns: [(bytes: [UInt8], token: AddedToken)]
    /// The patterns that start with each byte, the longest first.
    private var starting = [[Int]](repeating: [], count: 256)

    /// Creates a matcher of tokens from their bytes.
    init(_ patterns: [(bytes: [UInt8], token: AddedToken)]) {
        self.patterns = patterns.filter { !$0.bytes.isEmpty }
            .sorted { $0.bytes.count > $1.bytes.count }
        for (index, pattern) in self.patterns.enumerated() {
            starting[Int(pattern.bytes[0])].append(index)
        }
    }

    /// Splits a text into tokens and the non-empty parts between them.
    func split(_ text: [UInt8]) -> [Segment] {
        if patterns.isEmpty { return text.isEmpty ? [] : [.text(text)] }
        var segments: [Segment] = []
        var done = 0
        var position = 0
        while position < text.count {
            guard let pattern = pattern(in: text, at: position) else {
                position += 1
                continue
            }
            var (start, end) = (position, position + pattern.bytes.count)
            position = end
            let token = pattern.token
            if token.isSingleWord, adjoinsWord(text, from: start, to: end) { continue }
            if token.stripsLeft {
                while start > done {
                    let previous = text.startOfScalar(before: start)
                    guard text.scalar(at: previous).isSpace else { break }
                    start = previous
                }
            }
            if token.stripsRight {
                while end < text.count, text.scalar(at: end).isSpace {
                    end = text.endOfScalar(at: end)
                }
            }
            if done < start { segments.append(.text(Array(text[done..<start]))) }
            segments.append(.token(token.id))
            done = max(done, end)
        }
        if done < text.count { segments.append(.text(Array(text[done...]))) }
        return segments
    }

    private func pattern(
        in text: [UInt8], at position: Int
    ) -> (bytes: [UInt8], token: AddedToken)? {
        for index in starting[Int(text[position])] {
            let pattern = patterns[index]
            if text[position...].starts(with: pattern.bytes) { return pattern }
        }
        return nil
    }

    private func adjoinsWord(_ text: [UInt8], from start: Int, to end: Int) -> Bool {
        if start > 0, text.scalar(at: text.startOfScalar(before: start)).isWordCharacter {
            return true
        }
        return end < text.count && text.scalar(at: end).isWordCharacter
    }
}
