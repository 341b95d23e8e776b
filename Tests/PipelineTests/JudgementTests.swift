import Evaluation
import Foundation
import ModelFiles
import Testing

@testable import Pipeline

@Suite("Judges")
struct JudgementTests {
    /// Prefers the text that begins with "good".
    private let fair = #"""
        while read -r line; do
          case "$line" in
            *'"first":"good'*'"second":"good'*) echo '{"winner": "tie"}';;
            *'"first":"good'*) echo '{"winner": "first"}';;
            *'"second":"good'*) echo '{"winner": "second"}';;
            *) echo '{"winner": "tie", "reason": "both are bad"}';;
          esac
        done
        """#

    private func judged(
        _ answers: [(String, String)], by command: String, seconds: Double = 60
    ) throws -> Judgement {
        let items = answers.map { _ in TaskItem.document(prompt: "Sum up.", summary: "s") }
        return try Judgement(
            of: items, answers.map { ([$0], [$1]) },
            by: try Judge("command:" + command, seconds: seconds)
        ) { _ in }
    }

    @Test("a model wins a pair if it wins in both orders")
    func verdicts() throws {
        let found = try judged(
            [("good", "bad"), ("good", "bad"), ("bad", "good"), ("bad", "bad"), ("good", "good")],
            by: fair)
        #expect((found.wins, found.ties, found.losses) == (2, 2, 1))
        #expect(found.winRate == 0.6 && found.scores == [1, 1, 0, 0.5, 0.5])
        #expect(found.agreement == 1 && found.firstTwice == 0 && found.secondTwice == 0)
        // The sample standard deviation of the scores, divided by the root of their number.
        #expect(abs(found.stderr - (0.7 / 4 / 5).squareRoot()) < 1e-12)
    }

    @Test("a judge that prefers a place is detected", arguments: ["first", "second"])
    func places(place: String) throws {
        let judge = "while read -r line; do echo '{\"winner\": \"\(place)\"}'; done"
        let found = try judged([("good", "bad"), ("a", "b")], by: judge)
        #expect((found.wins, found.ties, found.losses) == (0, 2, 0))
        #expect(found.winRate == 0.5 && found.agreement == 0)
        #expect(found.firstTwice == (place == "first" ? 2 : 0))
        #expect(found.secondTwice == (place == "second" ? 2 : 0))
    }

    @Test("the lines of a judge have the question and both answers, in both orders")
    func protocolOfLines() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let judge = try Judge(
            "command:while read -r line; do printf '%s\\n' \"$line\" >> '\(path)'; "
                + "echo '{\"winner\": \"tie\"}'; done", seconds: 60)
        _ = try Judgement(
            of: [
                .document(prompt: "Sum\nup.", summary: "s"),
                .conversation(turns: ["One?", "Two?"]),
            ], [(["a"], ["b"]), (["c", "d"], ["e", "f"])], by: judge
        ) { _ in }
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        let values = try lines.map { try JSONValue(parsing: Array($0.utf8), file: "line") }
        func list(_ texts: String...) -> JSONValue { .array(texts.map { .string($0) }) }
        func turns(_ first: JSONValue, _ second: JSONValue) -> JSONValue {
            .object(["turns": list("One?", "Two?"), "first": first, "second": second])
        }
        #expect(
            values == [
                .object(ofStrings: ["question": "Sum\nup.", "first": "a", "second": "b"]),
                .object(ofStrings: ["question": "Sum\nup.", "first": "b", "second": "a"]),
                turns(list("c", "d"), list("e", "f")), turns(list("e", "f"), list("c", "d")),
            ])
    }

    @Test("texts that are longer than a pipe reach the judge")
    func longTexts() throws {
        let long = String(repeating: "word ", count: 100_000)
        #expect(try judged([("good" + long, long), (long, long)], by: fair).wins == 1)
    }

    @Test(
        "a judge that fails gives an error that says how",
        arguments: [
            ("exit 3", "status 3"), ("true", "ended before"), ("echo maybe; cat", "'maybe'"),
            ("echo '{\"winner\": \"both\"}'; cat", "both"), ("echo '[]'; cat", "'[]'"),
            ("no-such-judge", "127"), ("read -r line; kill -9 $$", "9"),
            ("read -r line; echo '{\"winner\": \"tie\"}'", "ended before"),
            ("exec sleep 20 >/dev/null", "closed its output"),
        ])
    func failures(command: String, problem: String) {
        let error = #expect(throws: ModelFileError.self) {
            try judged([("a", "b"), ("c", "d")], by: command)
        }
        #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
        #expect(error?.file == "--judge command:\(command)")
    }

    @Test("a judge that hangs is stopped", arguments: ["sleep 20", "exec sleep 20 </dev/null"])
    func hangs(command: String) {
        let long = String(repeating: "word ", count: 100_000)
        let error = #expect(throws: ModelFileError.self) {
            try judged([(long, "b")], by: command, seconds: 0.2)
        }
        #expect(error?.problem.contains("0.2 seconds") == true)
    }

    @Test("a judge needs a command and a model to compare with")
    func options() {
        var options = EvaluateOptions("model")
        options.tasks = ["task.jsonl"]
        for (judge, against, isRight) in [
            ("gpt", "dense", false), ("command:", "dense", false), ("command:x", nil, false),
            ("command:x", "dense", true),
        ] {
            (options.judge, options.against) = (judge, against)
            #expect(((try? options.check()) != nil) == isRight)
        }
    }

    @Test("a suite reads the task files of its folder, and not those to train on")
    func suites() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let line = #"{"context": "a", "continuation": "b"}"# + "\n"
        for name in ["lambada", "other", "sst2_train", "sst2_valid"] {
            try String(repeating: line, count: 300).write(
                to: folder.appending(path: name + ".jsonl"), atomically: true, encoding: .utf8)
        }
        let quick = try TaskSuite.quick.tasks(inFolder: folder.path, items: nil)
        #expect(quick.map(\.name) == ["lambada"] && quick[0].items.count == 200)
        let full = try TaskSuite.full.tasks(inFolder: folder.path, items: nil)
        #expect(full.map(\.name) == ["lambada", "other"] && full[0].items.count == 300)
        let few = try TaskSuite.full.tasks(inFolder: folder.path, items: 3)
        #expect(few.map(\.items.count) == [3, 3])
        let error = #expect(throws: ModelFileError.self) {
            try TaskSuite.quick.tasks(inFolder: folder.path + "/none", items: nil)
        }
        #expect(error?.description.contains("fetch-tasks") == true)
    }
}
