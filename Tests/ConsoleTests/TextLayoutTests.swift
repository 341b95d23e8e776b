import Testing

@testable import Console

@Suite struct TextLayoutTests {
    @Test("text is wrapped at spaces, and no word is lost")
    func wraps() {
        let text = "one two  three\nfour extraordinarily five"
        #expect(
            TextLayout.wrapped(text, to: 9) == [
                "one two", "three", "four", "extraordinarily", "five",
            ])
        #expect(TextLayout.wrapped("  ", to: 9) == [])
    }

    @Test("wide characters take two columns")
    func widths() {
        #expect(TextLayout.width(of: "aé漢🌳") == 6)
        #expect(TextLayout.padded("漢", to: 4) == "漢  ")
        #expect(TextLayout.truncated("漢字漢字", to: 5) == "漢字…")
        #expect(TextLayout.truncated("abc", to: 0).isEmpty)
    }
}
