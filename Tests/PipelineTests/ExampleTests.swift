import Foundation
import Testing
import Transformers

@testable import Pipeline

@Suite("The example of the README")
struct ExampleTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    @Test("the example prunes a model")
    func runs() throws {
        let scratch = try Scratch()
        try prune(
            Tiny.llama, text: Tiny.text,
            profile: Tiny.profile(for: EnvironmentOptions(), in: scratch), seconds: 0.2,
            to: scratch.path("out"))
        let (whole, pruned) = (
            try ModelShape(contentsOf: Tiny.llama),
            try ModelShape(contentsOf: scratch.path("out/1.25x"))
        )
        #expect(pruned.parameters < whole.parameters)
    }

    @Test("the README shows the file that the tests compile")
    func isShown() throws {
        let example = try String(
            contentsOf: Self.folder.appendingPathComponent("Example.swift"), encoding: .utf8)
        let readme = try String(
            contentsOf: Self.folder.appendingPathComponent("../../README.md").standardized,
            encoding: .utf8)
        #expect(readme.contains("```swift\n\(example)```\n"))
    }
}
