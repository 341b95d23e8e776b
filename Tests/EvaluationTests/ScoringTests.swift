import Foundation
import ModelFiles
import Tensors
import TestSupport
import Testing
import Transformers

@testable import Evaluation
@testable import Tokenizers

/// Scores that `scripts/make-scoring-fixtures` computed with lm-evaluation-harness.
private struct Scoring: Decodable {
    struct Instruction: Decodable {
        let name: String
        let strict: [Bool]
        let loose: [Bool]
    }
    struct Number: Decodable {
        let answer: String
        let text: String
        let strict: Bool
        let flexible: Bool
    }
    struct Question: Decodable {
        let answers: [String]
        let text: String
        let exact: Bool
        let withoutArticles: Bool
    }
    struct Size: Decodable {
        let text: String
        let words: Int
        let bytes: Int
    }
    struct Windows: Decodable {
        struct Window: Decodable {
            let context: [Int32]
            let predicted: [Int32]
        }
        let tokens: Int
        let most: Int
        let windows: [Window]
    }
    struct Overlap: Decodable {
        let written: String
        let expected: String
        let rouge1: Double
        let rouge2: Double
        let rougeL: Double
    }
    let prompt: String
    let answers: [String]
    let instructions: [Instruction]
    let numbers: [Number]
    let questions: [Question]
    let sizes: [Size]
    let windows: [Windows]
    let rouge: [Overlap]
}

/// A tokenizer with one token for each scalar of a text.
private struct Scalars: Tokenizer {
    let vocabularySize = 256
    let beginningOfText: Int32? = 0
    let endOfText: Int32? = nil
    let padding: Int32? = nil

    func encode(_ text: String, addingSpecialTokens: Bool) -> [Int32] {
        text.unicodeScalars.map { Int32($0.value) }
    }
    func encode(_ first: String, pair second: String) -> PairEncoding {
        PairEncoding(ids: encode(first + second, addingSpecialTokens: false), typeIDs: [])
    }
    func decode(_ ids: [Int32]) -> String { ids.map { String($0) }.joined() }
}

@Suite("Scores as in lm-evaluation-harness")
struct ScoringTests {
    private let bytes: [UInt8]
    private let scoring: Scoring

    init() throws {
        let file = try #require(
            Bundle.module.url(forResource: "Fixtures/scoring", withExtension: "json"))
        let data = try Data(contentsOf: file)
        bytes = Array(data)
        scoring = try JSONDecoder().decode(Scoring.self, from: data)
    }

    @Test("every instruction of IFEval is checked on every answer")
    func instructions() throws {
        let members = try JSONValue(parsing: bytes, file: "scoring").object
        let lines = try #require(members?["instructions"]?.array)
        let expectations = zip(lines, scoring.instructions)
        for (line, expected) in expectations {
            let arguments = try #require(line.object?["arguments"]?.object)
            let instruction = try WrittenInstruction(
                expected.name, arguments, prompt: scoring.prompt
            ) { ModelFileError(file: "line", problem: $0, remedy: "") }
            for (index, answer) in scoring.answers.enumerated() {
                #expect(
                    instruction.isFollowed(by: answer) == expected.strict[index],
                    "\(instruction): \(answer)")
                #expect(
                    instruction.isLooselyFollowed(by: answer) == expected.loose[index],
                    "loosely \(instruction): \(answer)")
            }
        }
        #expect(scoring.instructions.contains { $0.loose != $0.strict })
    }

    @Test("a generated number is the number after the mark, or the last number")
    func numbers() {
        for line in scoring.numbers {
            let (found, expected) = (
                GeneratedNumber(line.text), GeneratedNumber.bare(line.answer)
            )
            #expect((found.strict == expected) == line.strict, "\(line)")
            #expect((found.flexible == expected) == line.flexible, "\(line)")
        }
        #expect(Set(scoring.numbers.map { [$0.strict, $0.flexible] }).count == 4)
    }

    @Test("exact match ignores case, punctuation and, if asked, articles")
    func exactMatch() {
        for line in scoring.questions {
            func isMatch(_ ignoring: Bool) -> Bool {
                ScoredAnswer(line.text, answers: line.answers, ignoringArticles: ignoring).isMatch
            }
            #expect(isMatch(false) == line.exact, "\(line)")
            #expect(isMatch(true) == line.withoutArticles, "\(line)")
        }
        #expect(scoring.questions.contains { $0.exact != $0.withoutArticles })
    }

    @Test("the words and bytes of a text are counted")
    func sizes() {
        for line in scoring.sizes {
            let size = TextSize(line.text)
            #expect(size.words == line.words && size.bytes == line.bytes, "\(line)")
        }
    }

    @Test("windows of a long text predict every token once")
    func windows() {
        for line in scoring.windows {
            let text = String(
                String.UnicodeScalarView((1...UInt8(line.tokens)).map(Unicode.Scalar.init)))
            let found = Continuation.windows(of: text, tokenizer: Scalars(), most: line.most)
            #expect(found.map(\.tokens) == line.windows.map { $0.context + $0.predicted })
            #expect(found.map(\.predicted) == line.windows.map(\.predicted.count))
        }
    }

    @Test("overlaps of words agree with rouge-score")
    func overlaps() {
        for line in scoring.rouge {
            let (written, expected) = (ROUGEText(line.written), ROUGEText(line.expected))
            #expect(abs(written.overlap(with: expected, of: 1) - line.rouge1) < 1e-12)
            #expect(abs(written.overlap(with: expected, of: 2) - line.rouge2) < 1e-12)
            #expect(abs(written.overlapOfSequence(with: expected) - line.rougeL) < 1e-12)
        }
    }
}
