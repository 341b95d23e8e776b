import Foundation
import Testing

@testable import Tokenizers

@Suite("PostProcessor")
struct PostProcessorTests {
    private static let byteLevel = #"{"type": "ByteLevel"}"#
    private static let roberta =
        #"{"type": "RobertaProcessing", "cls": ["<s>", 1], "sep": ["</s>", 2]}"#

    private func sequence(_ processors: [String]) throws -> PostProcessor {
        let json =
            #"{"type": "Sequence", "processors": ["#
            + processors.joined(separator: ", ") + "]}"
        return try PostProcessor(JSONField.root(of: Data(json.utf8), file: "post_processor"))
    }

    @Test("a sequence with one template adds the tokens of the template")
    func oneTemplate() throws {
        let parts = [
            [Self.roberta], [Self.byteLevel, Self.roberta],
            [Self.byteLevel, Self.byteLevel, Self.roberta],
            [Self.byteLevel, Self.roberta, Self.byteLevel],
        ]
        for processors in parts {
            #expect(try sequence(processors).apply([7]).ids == [1, 7, 2])
        }
    }

    @Test("a sequence without a template adds no tokens")
    func noTemplate() throws {
        #expect(try sequence([Self.byteLevel]).apply([7]).ids == [7])
    }

    @Test("a sequence with two templates is refused")
    func twoTemplates() {
        #expect(throws: TokenizerError.self) { try sequence([Self.roberta, Self.roberta]) }
    }
}
