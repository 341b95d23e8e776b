import Foundation

/// A byte-level byte-pair tokenizer, as in GPT-2, Llama 3, Qwen 2 and SmolLM2.
public struct BytePairTokenizer: Tokenizer {
    let vocabulary: Vocabulary
    let added: AddedVocabulary
    let preTokenizer: PreTokenizer
    let postProcessor: PostProcessor
    let special: SpecialTokens
    let table: MergeTable
    /// The token of every single byte.
    ///
    /// A byte without a token becomes the unknown token, or is ignored.
    let bytes: [Int32?]
    let unknown: Int32?
    /// Whether consecutive unknown bytes become one token.
    let fusesUnknown: Bool
    /// Whether text is first normalised to NFC.
    let composes: Bool
    /// Whether a word that is a token becomes this token without merges.
    let keepsWholeWords: Bool

    /// The number of ids: the largest id plus one.
    public var vocabularySize: Int {
        max(vocabulary.size, added.size)
    }

    /// The token that opens a text, if the model has one.
    public var beginningOfText: Int32? { special.beginning }

    /// The token that ends a text, if the model has one.
    public var endOfText: Int32? { special.end }

    /// The padding token, if the model has one.
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
        var cache: [ArraySlice<UInt8>: [Int32]] = [:]
        let normalize = Self.normalizer(composes: composes)
        for segment in added.segments(of: text, normalize: normalize) {
            switch segment {
            case .token(let id): ids.append(id)
            case .text(let text):
                preTokenizer.forEachWord(of: text) { word in
                    if let known = cache[word] {
                        ids += known
                    } else {
                        let tokens = tokens(of: word)
                        cache[word] = tokens
                        ids += tokens
                    }
                }
            }
        }
        return ids
    }

    /// Returns the tokens of one word.
    private func tokens(of word: ArraySlice<UInt8>) -> [Int32] {
        if keepsWholeWords, word.count <= vocabulary.longest {
            var spelling = String.UnicodeScalarView()
            for byte in word { spelling.append(ByteAlphabet.characters[Int(byte)]) }
            if let whole = vocabulary.id(of: String(spelling)) { return [whole] }
        }
        var symbols: [Int32] = []
        var followsUnknown = false
        for byte in word {
            if let id = bytes[Int(byte)] {
                symbols.append(id)
                followsUnknown = false
            } else if let unknown {
                if !(fusesUnknown && followsUnknown) { symbols.append(unknown) }
                followsUnknown = true
            }
        }
        return table.merge(symbols)
    }

    static func normalizer(composes: Bool) -> ([UInt8]) -> [UInt8] {
        guard composes else { return { $0 } }
        return { text in
            if text.allSatisfy({ $0 < 0x80 }) { return text }
            return Array(
                String(decoding: text, as: UTF8.self).precomposedStringWithCanonicalMapping.utf8)
        }
    }

    /// Returns the text of ids, with special tokens; unknown ids are ignored.
    ///
    /// Bytes that are not UTF-8 become U+FFFD.
    public func decode(_ ids: [Int32]) -> String {
        var text: [UInt8] = []
        for id in ids {
            guard let token = added.spellings[id] ?? vocabulary.tokens[id] else { continue }
            text += ByteAlphabet.bytes(of: token) ?? Array(token.utf8)
        }
        return String(decoding: text, as: UTF8.self)
    }
}
