/// The regular expressions that split text for byte-level vocabularies, as hand-written scanners.
enum WordPattern: String, Sendable {
    /// GPT-2's pattern, which SmolLM2 and `ByteLevel` also use.
    case gpt2 =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
    /// Llama 3's pattern.
    case llama3 =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    /// Qwen 2's pattern.
    case qwen2 =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    /// BLOOM's pattern, which does not match white space and some punctuation.
    case bloom = #" ?[^(\s|[.,!?…。，、।۔،])]+"#

    /// Returns the end of the match that starts at `start`, or of the text before the next match.
    func endOfWord(in text: ClassifiedText, from start: Int, to limit: Int) -> Int {
        let scanner = WordScanner(text: text, start: start, limit: limit)
        switch self {
        case .gpt2: return scanner.gpt2()
        case .llama3: return scanner.llama3(longestNumber: 3)
        case .qwen2: return scanner.llama3(longestNumber: 1)
        case .bloom: return scanner.bloom()
        }
    }
}

/// Finds one match in the bytes from `start` to `limit`.
///
/// Bytes outside this range have no effect.
private struct WordScanner {
    let text: ClassifiedText
    let start: Int
    let limit: Int

    func gpt2() -> Int {
        if let end = contraction(ignoringCase: false) { return end }
        let word = startAfterSpace
        let kind = text.classes[word]
        return kind == .space ? endOfSpace : endOfRun(of: kind, from: word)
    }

    func llama3(longestNumber: Int) -> Int {
        if let end = contraction(ignoringCase: true) { return end }
        let kind = text.classes[start]
        if kind == .letter { return endOfRun(of: .letter, from: start) }
        if kind == .number { return endOfNumber(longest: longestNumber) }
        if !isLineEnd(start) {
            let next = endOfScalar(at: start)
            if next < limit, text.classes[next] == .letter {
                return endOfRun(of: .letter, from: next)
            }
        }
        let word = startAfterSpace
        if text.classes[word] == .other {
            var end = endOfRun(of: .other, from: word)
            while end < limit, isLineEnd(end) { end += 1 }
            return end
        }
        let end = endOfRun(of: .space, from: start)
        if let last = (start..<end).last(where: isLineEnd) { return last + 1 }
        return endOfSpace
    }

    func bloom() -> Int {
        if let end = endOfBloomWord(from: start) { return end }
        var end = endOfScalar(at: start)
        while end < limit, endOfBloomWord(from: end) == nil { end = endOfScalar(at: end) }
        return end
    }

    /// The end of the match of BLOOM's pattern; nil if there is none.
    private func endOfBloomWord(from start: Int) -> Int? {
        let word = text.bytes[start] == 0x20 ? start + 1 : start
        var end = word
        while end < limit, isBloomWord(end) { end = endOfScalar(at: end) }
        return end > word ? end : nil
    }

    private func isBloomWord(_ index: Int) -> Bool {
        guard text.classes[index] == .other else { return text.classes[index] != .space }
        switch text.bytes.scalar(at: index) {
        case "(", "|", ")", ".", ",", "!", "?", "…", "。", "，", "、", "।", "۔", "،": return false
        default: return true
        }
    }

    /// The start of the word after an optional space: ` ?` before a character that is not a space.
    private var startAfterSpace: Int {
        guard text.bytes[start] == 0x20, start + 1 < limit, text.classes[start + 1] != .space
        else { return start }
        return start + 1
    }

    /// `\s+(?!\S)|\s+`: a run of white space.
    ///
    /// If a word follows, the last character of the run belongs to the word.
    private var endOfSpace: Int {
        let end = endOfRun(of: .space, from: start)
        if end == limit { return end }
        let last = text.bytes.startOfScalar(before: end)
        return last > start ? last : end
    }

    private func endOfRun(of kind: CharacterClass, from start: Int) -> Int {
        var end = start
        while end < limit, text.classes[end] == kind { end += 1 }
        return end
    }

    private func endOfNumber(longest: Int) -> Int {
        var end = start
        for _ in 0..<longest where end < limit && text.classes[end] == .number {
            end = endOfScalar(at: end)
        }
        return end
    }

    private func endOfScalar(at index: Int) -> Int {
        text.bytes.endOfScalar(at: index)
    }

    private func isLineEnd(_ index: Int) -> Bool {
        text.bytes[index] == 0x0A || text.bytes[index] == 0x0D
    }

    /// `'s|'t|'re|'ve|'m|'ll|'d`.
    ///
    /// If case is ignored, the long s (U+017F) counts as an s.
    private func contraction(ignoringCase: Bool) -> Int? {
        guard text.bytes[start] == UInt8(ascii: "'"), start + 1 < limit else { return nil }
        func letter(_ offset: Int) -> UInt8 {
            let index = start + offset
            guard index < limit else { return 0 }
            let byte = text.bytes[index]
            return ignoringCase && (0x41...0x5A).contains(byte) ? byte + 0x20 : byte
        }
        switch (letter(1), letter(2)) {
        case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _),
            (UInt8(ascii: "d"), _):
            return start + 2
        case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
            (UInt8(ascii: "l"), UInt8(ascii: "l")):
            return start + 3
        case (0xC5, 0xBF) where ignoringCase:
            return start + 3
        default:
            return nil
        }
    }
}
