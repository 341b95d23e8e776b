import Testing

@testable import Evaluation

@Suite struct TextBeginningTests {
    @Test(
        "a prompt begins at the first sentence that another one, or a line, ends before",
        arguments: [
            ("the boat. In the evening Ben wrote", "In the evening Ben wrote"),
            ("he said, “no!” Then it rained. Then", "Then it rained. Then"),
            ("a heading\nThe text", "The text"),
            ("e.g. this one? “Yes,” he said", "“Yes,” he said"),
            ("about 3.5 of it. 7 others", "7 others"),
            ("Mr. Smith", "Smith"),
        ])
    func sentence(text: String, beginning: String) throws {
        let characters = Array(text)
        let place = try #require(TextBeginning.sentence(in: characters[...]))
        #expect(String(characters[place...]) == beginning)
    }

    @Test("a piece without an end has none", arguments: ["", "no end here", "it ends. here not"])
    func none(text: String) {
        #expect(TextBeginning.sentence(in: Array(text)[...]) == nil)
    }
}
