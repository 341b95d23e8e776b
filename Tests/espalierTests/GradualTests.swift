import Foundation
import Testing
import Transformers

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#endif

@Suite("Gradual pruning with the command prune", .serialized)
struct GradualTests {
    /// Returns the words of a prune to two targets, with training steps after each target.
    private func words(
        _ prune: PruneFixture, to out: String? = nil, rate: String = "0.003", _ recovery: [String]
    ) -> [String] {
        prune.words(to: out, "--speedup", "2", "--attempts", "1") + ["--rate", rate] + recovery
    }

    private let text = [
        "--text", Fixture.folder + "/text/calibration.txt", "--training-length", "32",
    ]

    private func targets(_ report: [String: Any]) throws -> [[String: Any]] {
        try #require(report["targets"] as? [[String: Any]])
    }

    @Test("a decoder whose hidden size is reduced in steps is distilled from the dense model")
    func narrowed() throws {
        let prune = try PruneFixture()
        let run = try Program.run(
            words(
                prune,
                ["--method", "minitron-width", "--recover", "distill", "--steps", "20"] + text))
        #expect(run.status == 0, "\(run.errors)")
        let shapes = try [Fixture.llama, prune.out + "/1.3x", prune.out + "/2x"].map {
            try ModelShape(contentsOf: $0)
        }
        #expect(shapes[0].hiddenSize > shapes[1].hiddenSize)
        #expect(shapes[1].hiddenSize > shapes[2].hiddenSize)
        for target in try targets(prune.report()) {
            let recovery = try #require(target["recovery"] as? [String: Any])
            let before = try #require(recovery["before"] as? Double)
            #expect(try #require(recovery["after"] as? Double) < before)
            #expect(target["kl"] as? Double != nil)
        }
    }

    @Test(
        "training recovers quality at every target, and pruning continues from there",
        arguments: ["distill", "finetune"])
    func decoder(method: String) throws {
        let prune = try PruneFixture()
        let asked = words(prune, ["--recover", method, "--steps", "40", "--json"] + text)
        let run = try Program.run(asked)
        #expect(run.status == 0, "\(run.errors)")
        let report = try prune.report()
        for target in try targets(report) {
            let recovery = try #require(target["recovery"] as? [String: Any])
            let before = try #require(recovery["before"] as? Double)
            #expect(try #require(recovery["after"] as? Double) < before)
            #expect(try #require(recovery["dense"] as? Double) < before)
            let unrecovered = try #require(recovery["unrecovered"] as? [String: Double])
            let kl = try #require(target["kl"] as? Double)
            if method == "distill" { #expect(kl < unrecovered["kl"] ?? 0) }
            let path = try #require(target["path"] as? String)
            let quality = try Program.run(
                "evaluate", path, "--against", Fixture.llama, "--text",
                Fixture.folder + "/text/held-out.txt", "--json"
            ).object()
            #expect(try #require(quality["perplexity"] as? Double) > 1)
        }
        let notes = try #require(report["notes"] as? [String])
        #expect(notes.contains { $0.contains("trained on the text") })
        let page = try String(contentsOfFile: prune.out + "/report.html", encoding: .utf8)
        #expect(page.contains("What training recovered"))
        // The second round can keep only units that the first round kept.
        let shapes = try ["1.3x", "2x"].map { try ModelShape(contentsOf: prune.out + "/" + $0) }
        for (first, second) in zip(shapes[0].layers, shapes[1].layers) {
            #expect(second.feedForward <= first.feedForward)
            #expect(second.keyValueHeads <= first.keyValueHeads)
        }
        let again = try Program.run(asked)
        #expect(again.status == 0 && !again.errors.contains("Training"))
        #expect(try targets(again.object()).count == 2)
        // After an additional target, the model is different.
        let between = try Program.run(asked + ["--speedup", "1.6"])
        #expect(between.status == 0 && between.errors.contains("Training"), "\(between.errors)")
        #expect(try targets(between.object()).count == 3)
    }

    @Test("an encoder without labels learns the vectors of the dense model")
    func sentences() throws {
        let prune = try PruneFixture(Fixture.bert)
        let asked = words(
            prune, rate: "0.0003", ["--recover", "distill", "--steps", "60"] + text)
        let run = try Program.run(asked)
        #expect(run.status == 0, "\(run.errors)")
        for target in try targets(prune.report()) {
            let recovery = try #require(target["recovery"] as? [String: Any])
            #expect(recovery["measure"] as? String == "cosine distance")
            let unrecovered = try #require(recovery["unrecovered"] as? [String: Double])
            let distance = try #require(target["meanCosineDistance"] as? Double)
            #expect(distance < unrecovered["meanCosineDistance"] ?? 0)
        }
        let alone = try Program.run(
            "distill", Fixture.bert, "--teacher", Fixture.bert, "--text",
            Fixture.folder + "/text/calibration.txt", "--on-policy", "0.5", "--steps", "1", "-o",
            prune.scratch.path("alone"))
        #expect(alone.status == 1 && alone.errors.contains("leave out --on-policy"))
    }

    @Test("an encoder is trained on its labels again, and stays a classifier")
    func encoder() throws {
        let prune = try PruneFixture(Fixture.bert)
        let task = prune.scratch.path("task.jsonl")
        let lines = (0..<80).map { index in
            #"{"text": "Anna found a \#(index % 2 == 0 ? "red" : "blue") ball.", "label": \#(index % 2)}"#
        }
        try lines.joined(separator: "\n").write(toFile: task, atomically: true, encoding: .utf8)
        let tuned = prune.scratch.path("tuned")
        let distilled = try Program.run(
            "finetune", Fixture.bert, "--task", task, "--validation", task, "--steps", "100",
            "--rate", "0.003", "--threads", "1", "-o", tuned)
        #expect(distilled.status == 0, "\(distilled.errors)")
        let classifier = try PruneFixture(tuned + "/model")
        let run = try Program.run(
            words(
                classifier,
                [
                    "--recover", "distill", "--steps", "60", "--task", task, "--validation", task,
                ]))
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.contains("2.00× untrained"))
        #expect(run.output.contains(" acc "))
        for target in try targets(classifier.report()) {
            let recovery = try #require(target["recovery"] as? [String: Any])
            #expect(recovery["measure"] as? String == "acc")
            #expect(try #require(recovery["after"] as? Double) > 0.9)
            let whole = try Program.run(
                "evaluate", tuned + "/model", "--task", task, "--json"
            ).object()
            let tasks = try #require(whole["tasks"] as? [String: [String: Any]])
            #expect(recovery["dense"] as? Double == tasks["task"]?["value"] as? Double)
        }
        let config = try String(
            contentsOfFile: classifier.out + "/2x/config.json", encoding: .utf8)
        #expect(config.contains("SequenceClassification"))
    }

    @Test("a killed prune resumes and writes the same models")
    func killed() throws {
        let prune = try PruneFixture()
        let recovery = ["--recover", "distill", "--steps", "12"] + text
        let whole = prune.scratch.path("whole")
        #expect(try Program.run(words(prune, to: whole, recovery)).status == 0)
        var random = SystemRandomNumberGenerator()
        var kills = 0
        for _ in 0..<10 {
            let run = try Program.start(words(prune, recovery))
            usleep(UInt32.random(in: 30_000...900_000, using: &random))
            kills += run.isRunning ? 1 : 0
            run.send(signal: SIGKILL)
            _ = try run.finish()
        }
        #expect(kills > 2)
        let last = try Program.run(words(prune, recovery))
        #expect(last.status == 0, "\(last.errors)")
        for name in ["1.3x", "2x"] {
            #expect(
                FileManager.default.contentsEqual(
                    atPath: prune.out + "/\(name)/model.safetensors",
                    andPath: whole + "/\(name)/model.safetensors"), "\(name)")
        }
        #expect(try prune.files().allSatisfy { !$0.hasSuffix(".tmp") })
    }

    @Test("a model whose outputs are NaN gives an error before pruning")
    func notFinite() throws {
        let prune = try PruneFixture()
        var words = words(prune, ["--recover", "distill", "--steps", "3"] + text)
        words[1] = try DamagedLlama.overflowing(in: prune.scratch)
        let run = try Program.run(words)
        #expect(run.status == 1 && run.errors.contains("the model may be damaged"))
        #expect(!run.errors.contains("Calibrating"), "\(run.errors)")
    }

    @Test("contradictory options give an error")
    func refused() throws {
        let prune = try PruneFixture()
        let alone = try Program.run(prune.words() + ["--steps", "3"])
        #expect(alone.status == 2 && alone.errors.contains("go with --recover"))
        let rate = try Program.run(prune.words() + ["--rate", "0.1"])
        #expect(rate.status == 2 && rate.errors.contains("go with --recover"))
        let endless = try Program.run(prune.words() + ["--recover", "distill"] + text)
        #expect(endless.status == 2 && endless.errors.contains("--recover needs --steps"))
        let compared = try Program.run(
            words(prune, ["--recover", "distill", "--steps", "3", "--baseline", "flap"] + text))
        #expect(compared.status == 2 && compared.errors.contains("--baseline is not trained"))
        let far = try Program.run(
            prune.words("--speedup", "1e6") + ["--recover", "distill", "--steps", "3"] + text)
        #expect(far.status == 1 && far.errors.contains("ask for less"))
        #expect(!far.errors.contains("Calibrating"))
    }
}
