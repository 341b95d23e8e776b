import Foundation
import Testing

@testable import Tokenizers

@Suite("Unicode tables compared with the reference")
struct UnicodeTests {
    private struct Expected: Decodable {
        let normalized: [String]
        let classes: [String]
    }

    @Test("normalisation, punctuation and pattern classes agree for every scalar")
    func everyScalar() throws {
        let expected = try JSONDecoder().decode(Expected.self, from: try fixture("unicode.json"))
        let normalizer = BertNormalizer()
        for block in expected.normalized.indices {
            var (normalized, classes) = (Digest(), Digest())
            for value in UInt32(block * 4096)..<UInt32(block * 4096 + 4096) {
                guard let scalar = Unicode.Scalar(value) else { continue }
                let text = normalizer.normalize(Array(String(scalar).utf8))
                normalized.add(
                    String(decoding: text, as: UTF8.self).unicodeScalars.map { Int32($0.value) })
                normalized.add([-1])
                let parts: Int32 = scalar.isBertPunctuation ? 3 : scalar.isSpace ? 2 : 1
                classes.add([parts, Int32(CharacterClass(scalar).rawValue)])
            }
            let start = String(block * 4096, radix: 16)
            #expect(normalized.text == expected.normalized[block], "normalised, from \(start)")
            #expect(classes.text == expected.classes[block], "classes, from \(start)")
        }
    }
}
