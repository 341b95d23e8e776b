import Testing

@testable import Console

@Suite struct SpellingTests {
    @Test(
        "the distance is the number of edits, and a swap is one edit",
        arguments: [
            ("", "", 0), ("abc", "", 3), ("", "abc", 3), ("kitten", "sitting", 3),
            ("batch", "bacth", 1), ("ca", "abc", 3), ("flaw", "lawn", 2), ("é", "e", 1),
        ])
    func distance(left: String, right: String, expected: Int) {
        #expect(Spelling.distance(left, right) == expected)
        #expect(Spelling.distance(right, left) == expected)
    }

    @Test("only similar words are suggested")
    func nearest() {
        let names = ["--batch", "--sequence", "--threads", "--json"]
        #expect(Spelling.nearest(to: "--batches", among: names) == "--batch")
        #expect(Spelling.nearest(to: "--seq", among: names) == "--sequence")
        #expect(Spelling.nearest(to: "--thread", among: names) == "--threads")
        #expect(Spelling.nearest(to: "--verbose", among: names) == nil)
        #expect(Spelling.nearest(to: "-x", among: names) == nil)
        #expect(Spelling.nearest(to: "--x", among: []) == nil)
    }
}
