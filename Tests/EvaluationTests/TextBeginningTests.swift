import Testing

@testable import Evaluation

@Suite struct TextBeginningTests {
    @Test(
        "a prompt begins after the first end of a sentence or line",
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

    @Test(
        "a text without the end of a sentence has no beginning",
        arguments: ["", "no end here", "it ends. here not"])
    func none(text: String) {
        #expect(TextBeginning.sentence(in: Array(text)[...]) == nil)
    }
}
