import Foundation
import Testing

@Suite("Tasks, suites and judges of the command evaluate")
struct EvaluateTasksTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// Returns a copy of the tiny Llama with a chat template.
    private func chattingModel() throws -> String {
        let model = scratch.path("chat")
        try FileManager.default.copyItem(atPath: Fixture.llama, toPath: model)
        let template =
            "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"
        try template.write(
            toFile: model + "/chat_template.jinja", atomically: true, encoding: .utf8)
        return model
    }

    private func tasks(_ outcome: Program.Outcome) throws -> [String: [String: Any]] {
        try #require(try outcome.object()["tasks"] as? [String: [String: Any]])
    }

    @Test("a judge compares summaries and conversations of both models in both orders")
    func judges() throws {
        let model = try chattingModel()
        let talk = try scratch.file(
            "talk", #"{"tokens": 4}"#, #"{"turns": ["Anna found a", "Why?"]}"#,
            #"{"turns": ["Who?"]}"#)
        let sums = try scratch.file(
            "sums", #"{"document": "Anna found a drum.", "summary": "A drum"}"#)
        let seen = scratch.path("seen")
        let judge =
            "command:while read -r l; do printf '%s\\n' \"$l\" >> '\(seen)'; "
            + "echo '{\"winner\": \"first\"}'; done"
        let words = [
            "evaluate", model, "--against", model, "--task", talk, "--task", sums,
        ]
        let found = try tasks(Program.run(words + ["--judge", judge, "--json"]))
        for (name, pairs) in ["talk": 2, "sums": 1] {
            let judgement = try #require(found[name]?["judgement"] as? [String: Any])
            #expect(judgement["ties"] as? Int == pairs && judgement["winRate"] as? Double == 0.5)
            #expect(judgement["firstTwice"] as? Int == pairs)
            #expect(judgement["agreement"] as? Double == 0 && found[name]?["notes"] == nil)
        }
        let lines = try String(contentsOfFile: seen, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 6 && lines.count { $0.contains(#""turns":["Who?"]"#) } == 2)
        let answers = try #require(found["talk"]?["answers"] as? [[String]])
        #expect(answers.map(\.count) == [2, 1])
        let shown = try Program.run(words + ["--judge", judge]).output
        for wanted in ["win rate", "orders agree", "ties 2", "2 times the first"] {
            #expect(shown.contains(wanted), "\(wanted)")
        }
        let alone = try Program.run("evaluate", model, "--task", talk)
        #expect(alone.output.contains("talk: The quality of the texts is not scored."))
        let broken = try Program.run(words + ["--judge", "command:exit 3"])
        #expect(broken.status == 1 && broken.errors.contains("--judge command:exit 3"))
        #expect(broken.errors.contains("status 3"))
    }

    @Test("a conversation needs a chat template, and a judge needs a model to compare with")
    func refused() throws {
        let talk = try scratch.file("talk", #"{"turns": ["Who?"]}"#)
        let plain = try Program.run("evaluate", Fixture.llama, "--task", talk)
        #expect(plain.status == 1 && plain.errors.contains("chat template"), "\(plain.errors)")
        let encoder = try Program.run("evaluate", Fixture.bert, "--task", talk)
        #expect(encoder.status == 1 && encoder.errors.contains("an encoder cannot run"))
        for words in [["--judge", "command:cat"], ["--judge", "gpt"], ["--suite", "quick"]] {
            let outcome = try Program.run(["evaluate", Fixture.llama, "--task", talk] + words)
            #expect(outcome.status == 2 && outcome.errors.contains(words[0]), "\(outcome.errors)")
        }
    }

    @Test("a suite runs the tasks of its folder that suit the model, and names the others")
    func suites() throws {
        let lambada = #"{"context": "Anna found a", "continuation": "drum"}"#
        _ = try scratch.file("lambada", lambada, lambada)
        _ = try scratch.file("other", lambada)
        _ = try scratch.file("stsb", #"{"first": "a", "second": "b", "score": 1}"#)
        _ = try scratch.file("sst2_train", #"{"text": "a", "label": 1}"#)
        func names(_ words: String...) throws -> (tasks: [String], skipped: [String]) {
            let answer = try Program.run(
                ["evaluate", "--suite-folder", scratch.path(""), "--json"] + words
            ).object()
            let tasks = try #require(answer["tasks"] as? [String: Any])
            return (tasks.keys.sorted(), answer["skipped"] as? [String] ?? [])
        }
        #expect(try names(Fixture.llama, "--suite", "quick") == (["lambada"], ["stsb"]))
        #expect(try names(Fixture.llama, "--suite", "full") == (["lambada", "other"], ["stsb"]))
        #expect(
            try names(Fixture.bert, "--suite", "full", "--items", "1")
                == (["stsb"], ["lambada", "other"]))
        let shown = try Program.run(
            "evaluate", Fixture.llama, "--suite", "quick", "--suite-folder", scratch.path(""))
        #expect(shown.output.contains("stsb: The model cannot run this task."))
    }

    @Test("the table and the JSON have a row for each subject, and the choices")
    func subjects() throws {
        let line = { (gold: Int, subject: String) in
            #"{"query": "Anna found a", "choices": ["zq", "white drum"], "gold": \#(gold), "#
                + #""subject": "\#(subject)"}"#
        }
        let path = try scratch.file("m", line(1, "law"), line(0, "art"), line(1, "law"))
        let words = ["evaluate", Fixture.llama, "--against", Fixture.llama, "--task", path]
        let task = try #require(try tasks(Program.run(words + ["--json"]))["m"])
        #expect(task["choices"] as? [Int] == [1, 1, 1])
        let subjects = try #require(task["subjects"] as? [[String: Any]])
        #expect(subjects.map { $0["name"] as? String } == ["art", "law"])
        #expect(subjects.map { $0["value"] as? Double } == [0, 1])
        #expect(subjects.map { $0["dense"] as? Double } == [0, 1])
        let shown = try Program.run(words).output
        #expect(shown.contains("art") && shown.contains("law"))
    }
}
