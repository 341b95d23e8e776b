import Foundation
import Testing

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#endif

@Suite("The command finetune")
struct FinetuneTests {
    private let scratch: Scratch

    /// A text whose sequence of words is new to the model.
    private let text: String

    init() throws {
        scratch = try Scratch()
        text = scratch.path("text")
        try String(repeating: "Ada counts: one, two, three, four; and again. ", count: 60)
            .write(toFile: text, atomically: true, encoding: .utf8)
    }

    private func words(_ out: String, _ more: String...) -> [String] {
        [
            "finetune", Fixture.llama, "--text", text, "--steps", "30", "--length", "32", "--batch",
            "4", "--rate", "0.003", "--layerdrop", "0.2",
            "--checkpoint", "3", "--threads", "2", "--json", "-o", scratch.path(out),
        ] + more
    }

    @Test("training on text lowers the loss, and the model runs")
    func learns() throws {
        let answer = try Program.run(words("run", "--accumulate", "2")).object()
        let (before, after) = (
            try #require(answer["before"] as? Double),
            try #require(answer["after"] as? Double)
        )
        #expect(after < before / 4 && after > 1)
        #expect(answer["steps"] as? Int == 30 && answer["trainedTokens"] as? Int == 30 * 8 * 32)
        let path = try #require(answer["path"] as? String)
        let written = try Program.run("generate", path, "--prompt", "Anna found a", "-n", "8")
        #expect(written.status == 0 && !written.output.isEmpty)
        // The run is complete, so nothing is repeated.
        let again = try Program.run(words("run", "--accumulate", "2"))
        #expect(again.status == 0 && !again.errors.contains("Training"))
        try FileManager.default.moveItem(
            atPath: scratch.path("run"), toPath: scratch.path("moved"))
        let moved = try Program.run(words("moved", "--accumulate", "2")).object()
        #expect(moved["path"] as? String == scratch.path("moved/model"))
        try FileManager.default.moveItem(
            atPath: scratch.path("moved"), toPath: scratch.path("run"))
        // The output of a run must not be the run's own model.
        for more in [[], ["--restart"]] {
            let onto = try Program.run(
                ["finetune", path, "--text", text, "--steps", "1", "-o", scratch.path("run")]
                    + more)
            #expect(onto.status == 1 && onto.errors.contains("choose another -o"))
            #expect(FileManager.default.fileExists(atPath: path + "/model.safetensors"))
        }
        let other = try Program.run(words("run"))
        #expect(other.status == 1 && other.errors.contains("training with other inputs"))
    }

    @Test("a model learns answers to prompts from records or from a command")
    func answers() throws {
        let records = scratch.path("pairs.csv")
        let pairs = (0..<40).map { "Anna found a \($0 % 4),\" ball, red\"" }
        try (["prompt,completion"] + pairs).joined(separator: "\n")
            .write(toFile: records, atomically: true, encoding: .utf8)
        func words(_ command: String, _ out: String, _ more: String...) -> [String] {
            [
                command, Fixture.llama, "--text", records, "--steps", "40", "--length", "64",
                "--rate", "0.003", "--threads", "1", "--json", "-o", scratch.path(out),
            ] + more
        }
        func check(_ out: String) throws {
            let written = try Program.run(
                "generate", scratch.path(out + "/model"), "--prompt", "Anna found a 2", "-n", "12")
            #expect(written.output.contains("ball, red"), "\(written.output) \(written.errors)")
        }
        let tuned = try Program.run(words("finetune", "records"))
        #expect(tuned.status == 0, "\(tuned.errors)")
        try check("records")
        // If a prompt fills the window, the end of the prompt and the answer are kept.
        let long = scratch.path("long.jsonl")
        let prompt = String(repeating: "Anna found a ", count: 60)
        let lines = (0..<40).map { "{\"prompt\": \"\(prompt)\($0)\", \"completion\": \" ball\"}" }
        try lines.joined(separator: "\n").write(toFile: long, atomically: true, encoding: .utf8)
        let cut = try Program.run(
            "finetune", Fixture.llama, "--text", long, "--steps", "1", "--length", "64", "--json",
            "-o", scratch.path("long"))
        #expect(try cut.object()["trainedTokens"] as? Int == 8 * 64, "\(cut.errors)")

        let answer = "command:while read -r line; do echo '{\"completion\": \" ball, red\"}'; done"
        let asked = words("distill", "asked", "--teacher", answer)
        let distilled = try Program.run(asked)
        #expect(distilled.status == 0, "\(distilled.errors)")
        try check("asked")
        let told = try String(
            contentsOfFile: scratch.path("asked/work/teacher.jsonl"), encoding: .utf8)
        #expect(told.split(separator: "\n").count == 40 && told.contains("Anna found a 3"))
        #expect(try Program.run(asked).errors.contains("Getting completions") == false)
        for (command, problem) in [
            ("command:head -n 1 >/dev/null; echo '{\"completion\": \"a\"}'", "1 of 40 prompts"),
            ("command:exit 3", "status 3"), ("command:echo '{}'", "line 1"),
            ("command:echo hi", "--teacher command:echo hi: its output, line 1"),
        ] {
            let refused = try Program.run(words("distill", "refused", "--teacher", command))
            #expect(refused.status == 1 && refused.errors.contains(problem), "\(refused.errors)")
        }
        let vain = try Program.run(asked + ["--mixture", "0.5"])
        #expect(vain.status == 2 && vain.errors.contains("leave out"))
    }

    @Test("the probability of skipping a layer is written to and read from the configuration")
    func layerDrop() throws {
        #expect(try Program.run(words("dropped")).status == 0)
        let path = scratch.path("dropped/model")
        let config = try String(contentsOfFile: path + "/config.json", encoding: .utf8)
        #expect(config.contains("\"layerdrop\": 0.2"), "\(config)")
        func loss(_ out: String, _ more: [String]) throws -> String {
            let run = try Program.run(
                [
                    "finetune", path, "--text", text, "--steps", "2", "--length", "32", "-o",
                    scratch.path(out),
                ] + more)
            #expect(run.status == 0, "\(run.errors)")
            return try String(
                contentsOfFile: scratch.path(out + "/work/losses.json"), encoding: .utf8)
        }
        let known = try loss("known", [])
        #expect(try known == loss("given", ["--layerdrop", "0.2"]))
        #expect(try known != loss("none", ["--layerdrop", "0"]))
        let none = try String(
            contentsOfFile: scratch.path("none/model/config.json"), encoding: .utf8)
        #expect(none.contains("\"layerdrop\": 0"), "\(none)")
        let kept = try Program.run(
            "layerdrop", path, "--keep", "2", "--strategy", "learned", "--text", text, "--threads",
            "1", "-o", scratch.path("kept"))
        #expect(kept.status == 0 && kept.output.contains("Layers kept"), "\(kept.errors)")
        // A trailing slash does not change the place, and existing files are not overwritten.
        func halve(_ out: String) throws -> Program.Outcome {
            try Program.run("layerdrop", path, "--keep", "1", "-o", scratch.path(out))
        }
        #expect(try halve("half/").status == 0)
        #expect(FileManager.default.fileExists(atPath: scratch.path("half/config.json")))
        let onto = try halve("half")
        #expect(onto.status == 1 && onto.errors.contains("it already exists"))
    }

    @Test("after an error or a restart, a run can use another text")
    func otherText() throws {
        let short = scratch.path("short.txt")
        let other = Fixture.folder + "/text/calibration.txt"
        try "Anna".write(toFile: short, atomically: true, encoding: .utf8)
        func train(_ text: String, _ out: String, _ more: String...) throws -> Program.Outcome {
            try Program.run(
                [
                    "finetune", Fixture.llama, "--text", text, "--steps", "2", "--length", "32",
                    "--threads", "1", "-o", scratch.path(out),
                ] + more)
        }
        func losses(_ out: String) throws -> String {
            try String(contentsOfFile: scratch.path(out + "/work/losses.json"), encoding: .utf8)
        }
        let fresh = try train(other, "fresh")
        #expect(fresh.status == 0, "\(fresh.errors)")
        let refused = try train(short, "again")
        #expect(refused.status == 1 && refused.errors.contains("too short"))
        // Nothing was stored for the short text, so another text does not conflict.
        #expect(try train(text, "again").status == 0)
        #expect(try losses("again") != losses("fresh"))
        #expect(try train(other, "again").status == 1)
        #expect(try train(other, "again", "--restart").status == 0)
        #expect(try losses("again") == losses("fresh"))
    }

    @Test("a killed run resumes and gives the same weights, and so does a run with less memory")
    func killed() throws {
        #expect(try Program.run(words("whole")).status == 0)
        #expect(try Program.run(words("less", "--recompute")).status == 0)
        var random = SystemRandomNumberGenerator()
        var kills = 0
        for _ in 0..<10 {
            let run = try Program.start(words("killed"))
            usleep(UInt32.random(in: 30_000...300_000, using: &random))
            kills += run.isRunning ? 1 : 0
            run.send(signal: SIGKILL)
            _ = try run.finish()
        }
        #expect(kills > 0)
        let last = try Program.run(words("killed"))
        #expect(last.status == 0, "\(last.errors)")
        for name in ["killed", "less"] {
            for file in ["model/model.safetensors", "work/losses.json", "work/state.safetensors"] {
                #expect(
                    FileManager.default.contentsEqual(
                        atPath: scratch.path("whole/" + file),
                        andPath: scratch.path(name + "/" + file)), "\(name) \(file)")
            }
        }
    }

    @Test(
        "an encoder learns labels and scores, and a classifier is written",
        arguments: [false, true])
    func labels(isScored: Bool) throws {
        let task = scratch.path("task.jsonl")
        let colours = ["red", "blue"]
        let lines = (0..<120).map { index in
            let (one, two) = (colours[index % 2], colours[index / 2 % 2])
            let start = "Anna found a \(one) ball in the \(index % 3 == 0 ? "park" : "garden")."
            return isScored
                ? #"{"first": "\#(start)", "second": "A \#(two) ball.", "score": \#(index % 2 == 0 ? 4 : 1)}"#
                : #"{"text": "\#(start)", "label": \#(index % 2)}"#
        }
        try lines.joined(separator: "\n").write(toFile: task, atomically: true, encoding: .utf8)
        let out = scratch.path("labels")
        let answer = try Program.run(
            "finetune", Fixture.bert, "--task", task, "--validation", task, "--steps", "150",
            "--batch", "16", "--rate", "0.003", "--threads", "2", "--json", "-o", out
        ).object()
        #expect(answer["measure"] as? String == (isScored ? "spearman" : "acc"))
        let after = try #require(answer["after"] as? Double)
        #expect(after > (isScored ? 0.7 : 0.97), "\(answer)")
        // The written model gives the same answers, also after pruning.
        let path = try #require(answer["path"] as? String)
        let config = try String(contentsOfFile: path + "/config.json", encoding: .utf8)
        #expect(config.contains("BertForSequenceClassification"))
        let again = try Program.run("evaluate", path, "--task", task, "--json").object()
        let tasks = try #require(again["tasks"] as? [String: [String: Any]])
        #expect(abs((tasks["task"]?["value"] as? Double ?? 0) - after) < 1e-6)
        // Each of the two models answers with its own head.
        let fresh = try Program.run(
            "finetune", Fixture.bert, "--task", task, "--steps", "1", "-o", scratch.path("fresh"))
        #expect(fresh.status == 0, "\(fresh.errors)")
        let both = try Program.run(
            "evaluate", scratch.path("fresh/model"), "--against", path, "--task", task, "--json"
        ).object()
        let compared = try #require(both["tasks"] as? [String: [String: Any]])
        #expect(abs((compared["task"]?["dense"] as? Double ?? 0) - after) < 1e-6)
        let headless = try Program.run(
            "evaluate", path, "--against", Fixture.bert, "--task", task)
        #expect(isScored || headless.errors.contains("no classification head"))
        // Vectors can be trained on text without labels.
        let vectors = try Program.run(
            "distill", path, "--teacher", path, "--text", text, "--steps", "2", "-o",
            scratch.path("vectors"))
        #expect(vectors.status == 0, "\(vectors.errors)")
    }

    @Test("a head gets the names of labels from a file, and keeps existing names")
    func namedLabels() throws {
        let (three, two) = (scratch.path("three.jsonl"), scratch.path("two.jsonl"))
        let items = (0..<40).map { #"{"text": "Anna \#($0)", "label": \#($0 % 2)}"# }
        let names = #"{"labels": ["bad", "good", "neither"]}"#
        for (lines, path) in [([names] + items, three), (items, two)] {
            try lines.joined(separator: "\n").write(
                toFile: path, atomically: true, encoding: .utf8)
        }
        func train(_ model: String, _ task: String, _ out: String) throws -> Program.Outcome {
            try Program.run(
                "finetune", model, "--task", task, "--steps", "1", "-o", scratch.path(out))
        }
        for (model, task, out) in [
            (Fixture.bert, three, "named"), (scratch.path("named/model"), two, "kept"),
        ] {
            let run = try train(model, task, out)
            #expect(run.status == 0, "\(run.errors)")
            let config = try String(
                contentsOfFile: scratch.path(out + "/model/config.json"), encoding: .utf8)
            #expect(config.contains("LABEL_2") && !config.contains("LABEL_3"), "\(config)")
        }
        let wild = scratch.path("wild.jsonl")
        try (items + [#"{"text": "Anna", "label": 9223372036854775807}"#])
            .joined(separator: "\n").write(toFile: wild, atomically: true, encoding: .utf8)
        let refused = try train(Fixture.bert, wild, "wild")
        #expect(refused.status == 1 && refused.errors.contains("line 41"), "\(refused.errors)")
    }

    @Test("an encoder learns to find answers, also after pruning, and is written with its head")
    func spans() throws {
        let task = scratch.path("questions.jsonl")
        let (colours, things) = (["red", "blue", "green"], ["ball", "kite", "hat", "drum"])
        let lines = (0..<96).map { index in
            let (colour, thing) = (colours[index % 3], things[index / 3 % 4])
            let other = colours[(index + 1) % 3]
            let passage = "Anna found a \(colour) \(thing) in the park. Tom saw a \(other) cat."
            let asked = #""question": "What was found?", "passage": "\#(passage)""#
            return "{\(asked), \"answers\": [\"\(thing)\"]}"
        }
        try lines.joined(separator: "\n").write(toFile: task, atomically: true, encoding: .utf8)
        let out = scratch.path("spans")
        let answer = try Program.run(
            "finetune", Fixture.bert, "--task", task, "--validation", task, "--steps", "120",
            "--batch", "16", "--rate", "0.003", "--threads", "2", "--json", "-o", out
        ).object()
        #expect(answer["measure"] as? String == "f1")
        let after = try #require(answer["after"] as? Double)
        #expect(after > 0.9, "\(answer)")
        let path = try #require(answer["path"] as? String)
        let prune = try PruneFixture(path)
        let pruned = try Program.run(prune.words("--attempts", "1"))
        #expect(pruned.status == 0, "\(pruned.errors)")
        let small = prune.out + "/1.3x"
        let config = try String(contentsOfFile: small + "/config.json", encoding: .utf8)
        #expect(config.contains("BertForQuestionAnswering"))
        let again = try Program.run(
            "evaluate", small, "--against", path, "--task", task, "--json"
        ).object()
        let tasks = try #require(again["tasks"] as? [String: [String: Any]])
        #expect(tasks["questions"]?["metric"] as? String == "f1")
        let none = try Program.run("evaluate", Fixture.bert, "--task", task)
        #expect(none.status == 1 && none.errors.contains("no head for extractive"))
    }

    @Test("distillation recovers part of the loss of a pruned model")
    func distils() throws {
        let prune = try PruneFixture()
        #expect(try Program.run(prune.words("--attempts", "1", "--refit-tokens", "0")).status == 0)
        let out = scratch.path("distilled")
        let words = [
            "distill", prune.out + "/1.3x", "--teacher", Fixture.llama, "--text",
            Fixture.folder + "/text/calibration.txt", "--steps", "60", "--length", "64",
            "--rate", "0.001", "--threads", "2", "--json", "-o", out,
        ]
        let answer = try Program.run(words).object()
        let (before, after) = (
            try #require(answer["before"] as? Double), try #require(answer["after"] as? Double)
        )
        #expect(after < before)
        // The teacher may have a lower precision. Frozen weights do not change.
        let frozen = try Program.run(
            words.dropLast(2) + [
                "--teacher-precision", "int8", "--freeze-embeddings", "-o", scratch.path("frozen"),
            ]
        ).object()
        #expect(try #require(frozen["after"] as? Double) < before)
        // The teacher is trained first. The student uses its own text. A complete run is not
        // repeated.
        let policy =
            words.dropLast(2) + [
                "--on-policy", "0.5", "--mixture", "0.5", "--teacher-steps", "5", "-o",
                scratch.path("policy"),
            ]
        let own = try Program.run(Array(policy))
        #expect(own.status == 0, "\(own.errors)")
        #expect(
            FileManager.default.fileExists(atPath: scratch.path("policy/work/teacher/model")))
        #expect(try #require(try own.object()["after"] as? Double) < before)
        #expect(try Program.run(Array(policy)).errors.contains("Training") == false)
        let other = try Program.run(
            "distill", Fixture.llama, "--teacher", Fixture.bert, "--text", text, "--steps", "1",
            "-o", scratch.path("other"))
        #expect(other.status == 1 && other.errors.contains("differs from the student's"))
    }

    @Test("wrong inputs give an error, and the error for a damaged checkpoint names it")
    func refused() throws {
        let encoder = try Program.run(
            "finetune", Fixture.bert, "--text", text, "--steps", "1", "-o", scratch.path("a"))
        #expect(encoder.status == 1 && encoder.errors.contains("name a decoder"))
        let neither = try Program.run("finetune", Fixture.llama, "--steps", "1", "-o", text)
        #expect(neither.status == 2 && neither.errors.contains("either --text or --task"))
        #expect(try Program.run(words("run")).status == 0)
        try FileManager.default.removeItem(atPath: scratch.path("run/model"))
        let state = scratch.path("run/work/state.safetensors")
        let bytes = try Data(contentsOf: URL(fileURLWithPath: state))
        try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: state))
        let damaged = try Program.run(words("run"))
        #expect(damaged.status == 1 && damaged.errors.contains("state.safetensors"))
    }

    @Test("if the loss is NaN before the first step, the error blames the model, not the rate")
    func notFinite() throws {
        var words = words("run")
        words[1] = try DamagedLlama.overflowing(in: scratch)
        let damaged = try Program.run(words)
        #expect(damaged.status == 1 && damaged.errors.contains("Evaluating before"))
        #expect(damaged.errors.contains("espalier evaluate"), "\(damaged.errors)")
        #expect(!damaged.errors.contains("--rate"))
    }
}
