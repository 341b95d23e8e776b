import Foundation
import Testing

@testable import Tokenizers

/// The 64-bit FNV-1a digest of 32-bit little-endian integers.
struct Digest {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(_ values: some Sequence<Int32>) {
        for value in values {
            for shift in [0, 8, 16, 24] as [Int32] {
                let byte = UInt64(truncatingIfNeeded: (value >> shift) & 0xFF)
                state = (state ^ byte) &* 0x100_0000_01B3
            }
        }
    }

    var text: String {
        let digits = String(state, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// Returns the ids of a text, and a digest.
///
/// The digest is of these ids, of the ids with special tokens, and of the decoded text.
func answers(_ tokenizer: any Tokenizer, _ text: String) -> (ids: [Int32], digest: String) {
    let ids = tokenizer.encode(text, addingSpecialTokens: false)
    var digest = Digest()
    digest.add(ids)
    digest.add([-1])
    digest.add(tokenizer.encode(text, addingSpecialTokens: true))
    digest.add([-1])
    digest.add(tokenizer.decode(ids).utf8.map { Int32($0) })
    return (ids, digest.text)
}

/// The strings with which tokenizers are tested.
struct Strings: Decodable {
    struct Hard: Decodable {
        let text: String
        let count: Int

        var whole: String { String(repeating: text, count: count) }
    }

    let hard: [Hard]
    let random: [String]

    static func load() throws -> Strings {
        try JSONDecoder().decode(Strings.self, from: try fixture("strings.json"))
    }
}

/// The results of the reference for one small vocabulary.
struct Golden: Decodable {
    struct Entry: Decodable {
        /// The first 16 ids.
        let ids: [Int32]
        let count: Int
        let digest: String
    }

    let size: Int
    let strings: [Entry]
    let pairs: [String]
    let random: [String]
    let decoded: [String]

    static func load() throws -> [String: Golden] {
        try JSONDecoder().decode([String: Golden].self, from: try fixture("golden.json"))
    }
}

/// The results of the reference for one real vocabulary.
struct RealGolden: Decodable {
    struct Text: Decodable {
        let count: Int
        let digest: String
    }

    let texts: [String: Text]
    let hard: [String]
    let random: [String]

    static func load() throws -> [String: RealGolden] {
        try JSONDecoder().decode([String: RealGolden].self, from: try fixture("real.json"))
    }
}

/// Returns the contents of a fixture.
func fixture(_ name: String) throws -> Data {
    let folder = try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil))
    return try Data(contentsOf: folder.appendingPathComponent(name))
}

/// Compares the results for all strings with the digests of the reference.
func expectAnswers(
    _ tokenizer: any Tokenizer, hard: [String], random: [String], _ name: String
) throws {
    let strings = try Strings.load()
    try #require(strings.hard.count == hard.count && strings.random.count == random.count)
    for (string, expected) in zip(strings.hard, hard) {
        let got = answers(tokenizer, string.whole)
        #expect(
            got.digest == expected,
            "\(name): \(string.text.debugDescription) × \(string.count): \(got.ids.prefix(16))")
    }
    for (text, expected) in zip(strings.random, random) {
        let got = answers(tokenizer, text)
        #expect(got.digest == expected, "\(name): \(text.debugDescription): \(got.ids)")
    }
}
