internal import Foundation

/// An instruction about the form of an answer, which a program can check.
///
/// Source: Zhou et al., "Instruction-Following Evaluation for Large Language Models", arXiv
/// 2311.07911. Each check gives the result of lm-evaluation-harness, with these exceptions:
/// keywords are plain text and not patterns; sentences end at a mark and white space or an asterisk,
/// except after common abbreviations and single letters; an answer in upper or lower case need not
/// be English; any character can be counted, for which lm-evaluation-harness counts a random letter.
public enum WrittenInstruction: Sendable, Equatable {
    /// All keywords occur.
    case keywords([String])
    /// A keyword occurs a number of times.
    case keywordCount(String, Amount)
    /// None of the words occurs.
    case forbiddenWords([String])
    /// A letter occurs a number of times.
    case letterCount(String, Amount)
    /// The answer is in a language. This is not checked.
    case language
    /// The number of sentences.
    case sentences(Amount)
    /// The exact number of paragraphs, which `***` separates.
    case paragraphs(Int)
    /// The number of words.
    case words(Amount)
    /// The exact number of paragraphs, which an empty line separates, and the first word of one.
    case firstWord(String, paragraph: Int, of: Int)
    /// The minimum number of placeholders in square brackets.
    case placeholders(Int)
    /// A postscript begins with a marker.
    case postscript(String)
    /// The exact number of bullets.
    case bullets(Int)
    /// The answer contains one of three given sentences.
    case givenAnswer
    /// The minimum number of parts between asterisks.
    case highlights(Int)
    /// The minimum number of sections, each of which begins with a word and a number.
    case sections(String, Int)
    /// The answer is JSON.
    case json
    /// The answer has a title in double angle brackets.
    case title
    /// Two different answers, which `******` separates.
    case twoResponses
    /// The answer begins with the request.
    case repeatedPrompt(String)
    /// The answer ends with a phrase.
    case ending(String)
    /// The number of words in capital letters.
    case capitalWords(Amount)
    /// All letters are capital letters.
    case upperCase
    /// All letters are lower-case letters.
    case lowerCase
    /// No comma occurs.
    case noComma
    /// The answer is in double quotation marks.
    case quotation

    /// A number of occurrences: fewer than a number, or at least a number.
    public struct Amount: Sendable, Equatable {
        /// The number.
        public let number: Int
        /// Whether fewer than the number are asked for.
        public let isLess: Bool

        func holds(_ count: Int) -> Bool { isLess ? count < number : count >= number }
    }

    /// Whether a program can check the instruction.
    var isCheckable: Bool { self != .language }

    /// Returns whether an answer follows the instruction.
    func isFollowed(by answer: String) -> Bool {
        let bare = answer.stripped
        guard !bare.isEmpty else { return false }
        switch self {
        case .keywords(let words): return words.allSatisfy { answer.count(ofText: $0) > 0 }
        case .keywordCount(let word, let amount): return amount.holds(answer.count(ofText: word))
        case .forbiddenWords(let words):
            return words.allSatisfy { answer.count(ofText: $0, isWord: true) == 0 }
        case .letterCount(let letter, let amount):
            let letters = answer.lowercased().unicodeScalars
            return amount.holds(letters.count { String($0) == letter.lowercased() })
        case .language: return false
        case .sentences(let amount): return amount.holds(Self.sentences(of: answer))
        case .paragraphs(let count): return Self.parts(of: answer, #"\s?\*\*\*\s?"#) == count
        case .words(let amount): return amount.holds(answer.matches(#"[\p{L}\p{N}_]+"#).count)
        case .firstWord(let word, let paragraph, let count):
            let paragraphs = answer.components(separatedBy: "\n\n").map(\.stripped)
            let filled = paragraphs.count { !$0.isEmpty }
            return filled == count && paragraph <= filled
                && Self.firstWord(of: paragraphs[paragraph - 1]) == word.lowercased()
        case .placeholders(let count): return answer.matches(#"\[.*?\]"#).count >= count
        case .postscript(let marker):
            let patterns = ["P.P.S": #"p\.\s?p\.\s?s"#, "P.S.": #"p\.\s?s\."#]
            return !answer.lowercased().matches(
                patterns[marker] ?? NSRegularExpression.escapedPattern(for: marker.lowercased())
            ).isEmpty
        case .bullets(let count):
            return answer.matches(#"^\s*\*[^\*].*$"#).count + answer.matches(#"^\s*-.*$"#).count
                == count
        case .givenAnswer:
            return ["yes", "no", "maybe"].contains { bare.contains("My answer is \($0).") }
        case .highlights(let count): return Self.highlights(in: answer) >= count
        case .sections(let word, let count):
            let mark = NSRegularExpression.escapedPattern(for: word)
            return answer.matches(#"\s?\#(mark)\s?\d+\s?"#).count >= count
        case .json: return Self.isJSON(bare)
        case .title:
            return answer.matches("<<[^\n]+>>").contains {
                !$0.trimming(while: { $0 == "<" || $0 == ">" }).stripped.isEmpty
            }
        case .twoResponses:
            guard Self.parts(of: answer, #"\*\*\*\*\*\*"#) == 2 else { return false }
            let answers = answer.components(separatedBy: "******").map(\.stripped)
            return Set(answers.filter { !$0.isEmpty }).count == 2
        case .repeatedPrompt(let prompt):
            return bare.lowercased().hasPrefix(prompt.stripped.lowercased())
        case .ending(let phrase):
            return bare.trimming(while: { $0 == "\"" }).lowercased().hasSuffix(
                phrase.stripped.lowercased())
        case .capitalWords(let amount): return amount.holds(Self.capitalWords(in: answer))
        case .upperCase: return answer.isUpperCase
        case .lowerCase:
            return answer.unicodeScalars.contains { $0.properties.isLowercase }
                && !answer.unicodeScalars.contains {
                    $0.properties.isUppercase || $0.properties.generalCategory == .titlecaseLetter
                }
        case .noComma: return !answer.contains(",")
        case .quotation: return bare.count > 1 && bare.first == "\"" && bare.last == "\""
        }
    }

    /// Returns whether one of the forms of an answer follows the instruction.
    ///
    /// The forms are the answer, and the answer without its first line, without its last line, and
    /// without both; each also without asterisks.
    func isLooselyFollowed(by answer: String) -> Bool {
        let lines = answer.components(separatedBy: "\n")
        let forms =
            [answer]
            + [lines.dropFirst(), lines.dropLast(), lines.dropFirst().dropLast()].map {
                $0.joined(separator: "\n").stripped
            }
        return (forms + forms.map { $0.replacing("*", with: "") }).contains(where: isFollowed)
    }
}

/// The parts of answers.
extension WrittenInstruction {
    /// Returns the number of parts between separators; nil if an inner part is empty.
    ///
    /// An empty part at the beginning or the end is not counted.
    private static func parts(of text: String, _ separator: String) -> Int? {
        let parts = text.split(byPattern: separator).map(\.stripped)
        guard !parts.dropFirst().dropLast().contains("") else { return nil }
        return parts.count { !$0.isEmpty }
    }

    private static func firstWord(of paragraph: String) -> String {
        let word = paragraph.prefix { !$0.isWhitespace }.drop { $0 == "'" }.drop { $0 == "\"" }
        return word.prefix { !".,?!'\"".contains($0) }.lowercased()
    }

    private static func highlights(in text: String) -> Int {
        let single = text.matches(#"\*[^\n\*]*\*"#)
        let double = text.matches(#"\*\*[^\n\*]*\*\*"#)
        return (single + double).count { !$0.trimming(while: { $0 == "*" }).stripped.isEmpty }
    }

    private static func isJSON(_ text: String) -> Bool {
        var text = text[...]
        for mark in ["```json", "```Json", "```JSON", "```"] where text.hasPrefix(mark) {
            text = text.dropFirst(mark.count)
        }
        if text.hasSuffix("```") { text = text.dropLast(3) }
        let bytes = Data(text.utf8)
        return (try? JSONSerialization.jsonObject(with: bytes, options: .fragmentsAllowed)) != nil
    }

    /// Common abbreviations, after which a sentence does not end.
    private static let abbreviations: Set = [
        "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "e.g", "i.e", "etc", "inc", "ltd",
        "co", "u.s", "a.m", "p.m",
    ]

    private static func sentences(of text: String) -> Int {
        let words = text.split { $0.isWhitespace || $0 == "*" }
        let areLast = words.map { word in
            let end = word.trimming(while: { "\"'”’()[]".contains($0) })
            guard let mark = end.last, ".!?".contains(mark) else { return false }
            let name = end.dropLast().lowercased()
            return mark != "." || name.count > 1 && !abbreviations.contains(name)
        }
        let isComplete = areLast.last == true && text.stripped.last != "*"
        return areLast.count { $0 } + (isComplete || words.isEmpty ? 0 : 1)
    }

    /// Returns the number of words in capital letters; a contraction such as `I'M` has two words.
    private static func capitalWords(in text: String) -> Int {
        let words = text.matches(#"[\p{L}\p{N}](?:[\p{L}\p{N}_/.*-]*[\p{L}\p{N}])?|'\p{L}+"#)
        return words.count(where: \.isUpperCase)
    }
}

extension StringProtocol {
    /// The text without white space around it.
    var stripped: String { trimming(while: \.isWhitespace) }

    /// Returns the text without the characters around it that meet a condition.
    func trimming(while isRemoved: (Character) -> Bool) -> String {
        String(drop(while: isRemoved).reversed().drop(while: isRemoved).reversed())
    }

    /// Whether the text has capital letters and no other letters that have a case.
    fileprivate var isUpperCase: Bool {
        unicodeScalars.contains { $0.properties.isUppercase }
            && !unicodeScalars.contains {
                $0.properties.isLowercase || $0.properties.generalCategory == .titlecaseLetter
            }
    }
}

extension String {
    /// Returns the parts of the text that match a pattern; a line ends only at a line feed.
    fileprivate func matches(_ pattern: String, ignoringCase: Bool = false) -> [String] {
        ranges(of: pattern, ignoringCase: ignoringCase).map { String(self[$0]) }
    }

    /// Returns the parts of the text between matches of a pattern.
    fileprivate func split(byPattern pattern: String) -> [String] {
        let ranges = ranges(of: pattern, ignoringCase: false)
        let starts = [startIndex] + ranges.map(\.upperBound)
        return zip(starts, ranges.map(\.lowerBound) + [endIndex]).map { String(self[$0..<$1]) }
    }

    /// Returns how often a text occurs, in upper or lower case.
    fileprivate func count(ofText text: String, isWord: Bool = false) -> Int {
        let pattern = NSRegularExpression.escapedPattern(for: text)
        let edge = isWord ? #"\b"# : ""
        return ranges(of: edge + pattern + edge, ignoringCase: true).count
    }

    private func ranges(of pattern: String, ignoringCase: Bool) -> [Range<String.Index>] {
        var options: NSRegularExpression.Options = [
            .anchorsMatchLines, .useUnixLineSeparators,
        ]
        if ignoringCase { options.insert(.caseInsensitive) }
        guard let expression = try? NSRegularExpression(pattern: pattern, options: options) else {
            return []
        }
        return expression.matches(in: self, range: NSRange(startIndex..., in: self)).compactMap {
            Range($0.range, in: self)
        }
    }
}
