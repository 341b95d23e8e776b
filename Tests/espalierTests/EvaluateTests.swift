import Foundation
import Testing

@Suite("evaluate through the command")
struct EvaluateTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func file(_ name: String, _ lines: String...) throws -> String {
        let path = scratch.path(name + ".jsonl")
        try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    @Test("a decoder labels, summarises and writes beside another model")
    func decoder() throws {
        let labels = try file(
            "labels",
            #"{"name": "drums", "labels": ["zq", "white drum"], "prompt": "{text}"}"#,
            #"{"text": "Anna found a", "label": 1}"#)
        let summaries = try file(
            "summaries",
            #"{"name": "tales", "prompt": "{document}"}"#,
            #"{"document": "Anna found a white drum. She took it to", "summary": "the park"}"#)
        let words = [
            "evaluate", Fixture.llama, "--against", Fixture.llama, "--task", labels, "--task",
            summaries, "--text", Fixture.folder + "/text/held-out.txt", "--windows", "2",
            "--samples", "2",
        ]
        let answer = try Program.run(words + ["--json"]).object()
        let tasks = try #require(answer["tasks"] as? [String: [String: Any]])
        #expect(tasks["drums"]?["value"] as? Double == 1)
        #expect(tasks["drums"]?["flips"] as? Double == 0)
        #expect(tasks["tales"]?["metric"] as? String == "rougeL")
        #expect(try #require(tasks["tales"]?["perplexityOfAnswers"] as? Double) >= 1)
        let samples = try #require(answer["samples"] as? [[String: String]])
        #expect(samples.count == 2)
        #expect(samples.allSatisfy { $0["text"] == $0["other"] && $0["text"]?.isEmpty == false })
        let shown = try Program.run(words).output
        for wanted in ["drums", "mcc", "repetition", "its answers, to other", "prompt: "] {
            #expect(shown.contains(wanted))
        }
    }

    @Test(
        "a task that is nothing for the model is refused with what helps",
        arguments: [
            (Fixture.llama, #"{"text": "x", "label": 0}"#, "labels"),
            (Fixture.llama, #"{"first": "x", "second": "y", "score": 1}"#, "encoder"),
            (Fixture.llama, #"{"query": "x", "choices": "a", "gold": 0}"#, "two or more"),
            (Fixture.bert, #"{"text": "x", "label": 0}"#, "sequence classification"),
            (Fixture.bert, #"{"document": "x", "summary": "y"}"#, "texts with labels, pairs"),
        ])
    func refused(model: String, line: String, remedy: String) throws {
        let result = try Program.run("evaluate", model, "--task", file("task", line))
        #expect(result.status == 1 && result.errors.contains(remedy), "\(result.errors)")
    }
}
