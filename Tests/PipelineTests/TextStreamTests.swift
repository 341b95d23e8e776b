import Testing
import Tokenizers
import Transformers

@testable import Pipeline

@Suite("Streamed text")
struct TextStreamTests {
    @Test("streamed pieces are complete characters, and together are the text")
    func stream() throws {
        let tokenizer = try Checkpoint(Tiny.llama).tokenizer()
        let text = "née 🌳🌳 日本, \u{10FFFF}e\u{301}!"
        let ids = tokenizer.encode(text, addingSpecialTokens: false)
        #expect(ids.count > text.count, "no character of the text needs several tokens")
        var stream = TextStream(tokenizer)
        var pieces = ids.map { stream.add($0) }
        pieces.append(stream.finish())
        #expect(pieces.joined() == text)
        #expect(pieces.allSatisfy { !$0.unicodeScalars.contains("\u{FFFD}") })
    }

    @Test("invalid characters are streamed like in decoding of the full text")
    func brokenStream() throws {
        let tokenizer = try Checkpoint(Tiny.llama).tokenizer()
        let ids = tokenizer.encode("a🌳🌳b", addingSpecialTokens: false)
        for (first, last) in [(2, 0), (0, 2), (3, 3), (1, 4)] {
            let cut = Array(ids.dropLast(last).prefix(first) + ids.dropLast(last).suffix(3))
            var stream = TextStream(tokenizer)
            let streamed = cut.map { stream.add($0) }.joined() + stream.finish()
            #expect(streamed == tokenizer.decode(cut))
        }
    }
}
