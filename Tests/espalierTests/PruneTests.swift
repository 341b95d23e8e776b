import Foundation
import Pruning
import Testing
import Transformers

@Suite("Pruning end to end", .serialized)
struct PruneTests {
    /// Checks the documented keys of a report.
    private func checkReport(_ report: [String: Any], decoder: Bool) throws {
        #expect(report["method"] as? String == "greedy" && report["seed"] as? Int == 1)
        let targets = try #require(report["targets"] as? [[String: Any]])
        for target in targets {
            for key in ["target", "predicted", "measured"] {
                #expect(try #require(target[key] as? Double) > 0)
            }
            let interval = try #require(target["interval"] as? [Double])
            #expect(interval.count == 2 && interval[0] <= interval[1])
            let path = try #require(target["path"] as? String)
            // The name depends on whether the plan has formats.
            #expect(
                ["model", "espalier"].contains {
                    FileManager.default.fileExists(atPath: "\(path)/\($0).safetensors")
                })
            for key in ["kl", "perplexity", "top1"] {
                #expect((target[key] as? Double != nil) == decoder)
            }
            #expect((target["meanCosineDistance"] as? Double != nil) == !decoder)
        }
        #expect(try #require(report["secondText"] as? String).contains("shipped prose"))
        for figures in targets.map({ $0["second"] }) + [report["secondDense"]] {
            let second = try #require(figures as? [String: Double])
            #expect((second["perplexity"] != nil) == decoder)
            #expect((second["meanCosineDistance"] != nil) == !decoder)
        }
        let stages = try #require(report["stages"] as? [String: [String: Double]])
        for name in ["profile", "calibrate", "surgeon", "sensitivity", "evaluate"] {
            let stage = try #require(stages[name])
            #expect(Set(stage.keys) == ["seconds", "peakBytes"])
            #expect(stage.values.allSatisfy { $0 > 0 })
        }
    }

    private func targets(_ report: [String: Any]) throws -> NSArray {
        try #require(report["targets"] as? NSArray)
    }

    @Test(
        "a decoder is profiled and pruned, and every command reads the model",
        arguments: ["f32", "bf16", "int8"])
    func decoder(precision: String) throws {
        let scratch = try Scratch()
        let words = [
            "prune", Fixture.llama, "--speedup", "1.1", "--attempts", "2", "--threads", "1",
            "--sequence", "32", "--calibration", Fixture.folder + "/text/calibration.txt",
            "--calibration-tokens", "512", "--precision", precision, "-o", scratch.path("out"),
        ]
        let run = try Program.measure(words)
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.contains("1.10×") && run.output.contains("out/report.html"))
        let data = try Data(contentsOf: URL(fileURLWithPath: scratch.path("out/report.json")))
        let report = try #require(
            try JSONSerialization.jsonObject(with: data) as? [String: Any])
        try checkReport(report, decoder: true)
        let environment = try #require(report["environment"] as? [String: Any])
        #expect(environment["precision"] as? String == precision)

        let (model, text) = (
            scratch.path("out/1.1x"), Fixture.folder + "/text/held-out.txt"
        )
        let quality = try Program.run(
            "evaluate", model, "--against", Fixture.llama, "--text", text, "--windows", "4",
            "--threads", "1", "--precision", precision, "--json"
        ).object()
        #expect(try #require(quality["perplexity"] as? Double) > 1)
        #expect(try #require(quality["kl"] as? Double) > 0)
        let bench = try Program.measure([
            "bench", model, "--against", Fixture.llama, "--threads", "1", "--precision", precision,
        ])
        #expect(bench.status == 0, "\(bench.errors)")
        let story = try Program.run(
            "generate", model, "-p", "Once", "-n", "5", "--threads", "1", "--precision", precision)
        #expect(story.status == 0, "\(story.errors)")
        let shape = try Program.run("inspect", model, "--json").object()
        let parameters = try #require(targets(report)[0] as? [String: Any])["parameters"] as? Int
        #expect(shape["parameters"] as? Int == parameters)
    }

    @Test(
        "quality is measured on a second text, and a second text that is too short gives an error")
    func secondText() throws {
        let prune = try PruneFixture()
        let text = Fixture.folder + "/text/held-out.txt"
        let run = try Program.run(prune.words() + ["--evaluation", text])
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.contains("second") && run.output.contains("held-out.txt, "))
        let report = try prune.report()
        let dense = try #require(report["secondDense"] as? [String: Double])
        // The held-out text of the fixture is similar to its calibration text. Prose of 1861 is
        // not.
        let shipped = try PruneFixture()
        #expect(try Program.run(shipped.words()).status == 0)
        let other = try #require(try shipped.report()["secondDense"] as? [String: Double])
        #expect(try #require(other["perplexity"]) > 2 * (try #require(dense["perplexity"])))
        let page = try String(contentsOfFile: prune.out + "/report.html", encoding: .utf8)
        #expect(page.contains("<th scope=\"col\">Second text</th>"))
        #expect(page.contains("Second text: held-out.txt, "))
        #expect(page.contains(" tokens, given with --evaluation."))
        #expect(run.output.contains("given with --evaluation."))
        for name in ["report.html", "report.md"] {
            let text = try String(contentsOfFile: shipped.out + "/" + name, encoding: .utf8)
            #expect(text.contains("a story that is part of Espalier"))
        }
        let short = prune.scratch.path("short.txt")
        try "Too short.".write(toFile: short, atomically: true, encoding: .utf8)
        let refused = try Program.run(
            prune.words(to: prune.scratch.path("refused")) + ["--evaluation", short])
        #expect(refused.status == 1 && refused.errors.contains("too few to evaluate on"))
    }

    @Test(
        "an encoder is pruned, and a rerun repeats nothing",
        arguments: [Fixture.bert, Fixture.llama])
    func rerun(model: String) throws {
        let prune = try PruneFixture(model)
        let first = try Program.run(prune.words("--speedup", "2", "--json"))
        #expect(first.status == 0, "\(first.errors)")
        let report = try first.object()
        try checkReport(report, decoder: model == Fixture.llama)
        #expect(try targets(prune.report()) == targets(report) && targets(report).count == 2)
        let plans = try JSONDecoder().decode(
            [String: Plan].self,
            from: Data(contentsOf: URL(fileURLWithPath: prune.out + "/plan.json")))
        #expect(Set(plans.keys) == ["1.3x", "2x"])
        for (name, plan) in plans {
            let dense = try ModelShape(contentsOf: model)
            #expect(try ModelShape(contentsOf: prune.out + "/" + name) == dense.applying(plan))
        }
        let files = try prune.files()
        let again = try Program.run(prune.words("--speedup", "2", "--json"))
        #expect(again.status == 0, "\(again.errors)")
        #expect(try targets(again.object()) == targets(report))
        for stage in ["Profiling", "Calibrating", "Ordering", "Measuring", "Shrinking", "Writing"] {
            #expect(!again.errors.contains(stage))
        }
        #expect(try prune.files() == files)
        let more = try Program.run(prune.words("--speedup", "1.6"))
        #expect(more.status == 0 && !more.errors.contains("Calibrating"))
        #expect(try targets(prune.report()).count == 2)
        if model == Fixture.bert {
            let text = Fixture.folder + "/text/held-out.txt"
            let quality = try Program.run(
                "evaluate", prune.out + "/2x", "--against", model, "--text", text, "--threads", "1",
                "--json"
            ).object()
            #expect(try #require(quality["meanCosineDistance"] as? Double) > 0)
        }
    }

    @Test("a report is written again with tasks, and models are exported and compared")
    func reports() throws {
        let prune = try PruneFixture()
        #expect(try Program.run(prune.words("--for", "gguf")).status == 0)
        let tasks = prune.scratch.path("story.jsonl")
        try #"{"query": "Anna found a", "choices": ["zq", "white drum"], "gold": 1}"#.write(
            toFile: tasks, atomically: true, encoding: .utf8)
        let first = try Program.run("report", prune.out, "--task", tasks)
        #expect(first.status == 0, "\(first.errors)")
        #expect(first.output.contains("as fast on this machine"))
        let found = try #require(try prune.report()["tasks"] as? [[String: Any]])
        #expect(found.map { $0["name"] as? String } == ["story"])
        #expect(try Program.run(prune.words("--for", "gguf")).status == 0)
        #expect(try prune.report()["tasks"] != nil)
        let page = prune.scratch.path("page.html")
        let compared = try Program.run("compare", prune.out, prune.out, "-o", page)
        #expect(compared.status == 0 && FileManager.default.fileExists(atPath: page))
        let lines = compared.output.split(separator: "\n")
        #expect(lines.count { $0.contains(", 1.3×: ") } == 2 && lines.last == page[...])
        #expect(try Program.run("compare", prune.out, "-o", page).status == 2)
        let missing = try Program.run("report", prune.scratch.path())
        #expect(missing.status == 1 && missing.errors.contains("report.json"))

        let gguf = prune.out + "/1.3x/model.gguf"
        let again = prune.scratch.path("again.gguf")
        let exported = try Program.run(
            "export", prune.out + "/1.3x", "--format", "gguf", "-o", again)
        #expect(exported.status == 0, "\(exported.errors)")
        let inspected = try Program.run("inspect", gguf, "--json").object()
        #expect(inspected["architecture"] as? String == "llama")
        let prompt = ["--prompt", "Anna found a", "-n", "20"]
        let written = try [gguf, again, prune.out + "/1.3x"].map {
            try Program.run(["generate", $0] + prompt).output
        }
        #expect(written[0] == written[1] && written[1] == written[2] && !written[0].isEmpty)
        let half = prune.scratch.path("half")
        let halved = try Program.run(
            "export", gguf, "--format", "huggingface", "--type", "bf16", "-o", half)
        #expect(halved.status == 0, "\(halved.errors)")
        let halves = try Program.run("inspect", half + "/model.safetensors", "--json").output
        #expect(halves.contains("bf16") && !halves.contains("f32"))
        #expect(
            try Program.run("export", gguf, "--format", "onnx", "--type", "bf16", "-o", half)
                .status == 2)
        #expect(
            try Program.run("export", gguf, "--format", "huggingface", "-o", half).errors
                .contains("it already exists"))
    }

    @Test("formats alone do not reach a speedup if no other format is allowed")
    func formatsAlone() throws {
        let prune = try PruneFixture()
        let run = try Program.run(prune.words() + ["--method", "formats"])
        #expect(run.status == 1 && run.errors.contains("choose a lower speedup"), "\(run.errors)")
    }

    @Test("every method writes a model, alone or as a baseline")
    func methods() throws {
        let prune = try PruneFixture()
        let methods = PruningMethod.allCases.filter { $0 != .formats }.map(\.rawValue)
        let compared = try Program.run(
            prune.words() + ["--trials", "20"] + methods.flatMap { ["--baseline", $0] })
        #expect(compared.status == 0, "\(compared.errors)")
        #expect(compared.output.contains("1.30× by flap"), "\(compared.output)")
        let report = try prune.report()
        #expect(report["method"] as? String == "greedy")
        let baselines = try #require(report["baselines"] as? [[String: Any]])
        #expect(baselines.map { $0["method"] as? String } == methods)
        #expect(compared.output.contains("1.30× by greedy"), "\(compared.output)")
        for method in methods {
            let alone = prune.scratch.path(method)
            let run = try Program.run(
                prune.words(to: alone) + ["--trials", "20", "--method", method])
            #expect(run.status == 0, "\(run.errors)")
            #expect(try prune.report(in: alone)["method"] as? String == method)
            for model in [alone + "/1.3x", prune.out + "/\(method)-1.3x"] {
                let run = try Program.run("inspect", model)
                #expect(run.status == 0, "\(run.errors)")
            }
        }
    }

    @Test(
        "a model with a reduced hidden size is smaller, and every command reads it",
        arguments: [Fixture.llama, Fixture.bert])
    func narrowed(model: String) throws {
        let prune = try PruneFixture(model)
        let run = try Program.run(
            prune.words(speedup: "2", to: nil, "--method", "minitron-width", "--attempts", "1"))
        #expect(run.status == 0, "\(run.errors)")
        let targets = try #require(try prune.report()["targets"] as? [[String: Any]])
        let hiddenSize = try #require(targets[0]["hiddenSize"] as? Int)
        let (dense, shape) = (
            try ModelShape(contentsOf: model), try ModelShape(contentsOf: prune.out + "/2x")
        )
        #expect(shape.hiddenSize == hiddenSize && hiddenSize < dense.hiddenSize)
        #expect(Set(shape.layers).count == 1)
        let page = try String(contentsOfFile: prune.out + "/report.html", encoding: .utf8)
        #expect(page.contains("and \(hiddenSize) channels"))
        let bench = try Program.run(
            "bench", prune.out + "/2x", "--against", model, "--seconds", "0.1", "--json")
        #expect(bench.status == 0, "\(bench.errors)")
        let copy = prune.scratch.path("copy")
        let export = try Program.run(
            "export", prune.out + "/2x", "--format", "huggingface", "-o", copy)
        #expect(export.status == 0, "\(export.errors)")
        #expect(try ModelShape(contentsOf: copy) == shape)
    }

    @Test("the hidden size is not reduced in a family that fixes it to the width of the heads")
    func notNarrowed() throws {
        let prune = try PruneFixture(Fixture.folder + "/tiny-gpt2")
        let run = try Program.run(prune.words() + ["--baseline", "minitron-width"])
        #expect(run.status == 2 && run.errors.contains("gpt2"), "\(run.errors)")
        #expect(!FileManager.default.fileExists(atPath: prune.out))
    }

    @Test("without text a decoder generates its own, and an encoder gives an error")
    func withoutText() throws {
        let prune = try PruneFixture()
        let run = try Program.run(prune.words(calibration: nil))
        #expect(run.status == 0 && run.errors.contains("the model generates"), "\(run.errors)")
        let calibration = try #require(try prune.report()["calibration"] as? [String: Any])
        #expect(calibration["sampledByModel"] as? Bool == true)
        let encoder = try PruneFixture(Fixture.bert)
        let refused = try Program.run(encoder.words(calibration: nil))
        #expect(refused.status == 2 && refused.errors.contains("--calibration"))
        #expect(!FileManager.default.fileExists(atPath: encoder.out))
    }

    @Test(
        "a target that cannot be reached gives an error with the maximum speedup",
        arguments: ["1e6", "1e300", "10.1"])
    func unreachable(speedup: String) throws {
        let prune = try PruneFixture()
        let run = try Program.run(prune.words(speedup: speedup))
        #expect(run.status == 1 && run.errors.contains("maximum is 10.0; choose a lower speedup"))
        #expect(!run.errors.contains("Calibrating"))
    }

    @Test("with --for gguf, the maximum speedup is that of plans that llama.cpp can load")
    func unreachableElsewhere() throws {
        let prune = try PruneFixture()
        let run = try Program.run(prune.words(speedup: "5", "--for", "gguf"))
        // The fastest plan keeps the base, half of each attention block, and 32 of 96 neurons.
        let maximum = 1 / (0.1 + 0.45 / 8 + 0.45 / 3)
        let shown = (maximum * 100).rounded(.down) / 100
        let message = "\(shown); choose a lower speedup"
        #expect(run.status == 1 && run.errors.contains(message), "\(run.errors)")
        #expect(!run.errors.contains("Calibrating"))
    }

    @Test("a killed prune resumes, writes the same bytes, and leaves no temporary files")
    func killed() throws {
        let prune = try PruneFixture()
        // With one attempt, measured times cannot change the plan.
        func words(to out: String? = nil) -> [String] {
            prune.words(to: out, "--attempts", "1", "--speedup", "2", "--baseline", "flap")
        }
        let whole = prune.scratch.path("whole")
        #expect(try Program.run(words(to: whole)).status == 0)
        var random = SystemRandomNumberGenerator()
        var kills = 0
        for _ in 0..<12 {
            let run = try Program.start(words())
            usleep(UInt32.random(in: 30_000...500_000, using: &random))
            kills += run.isRunning ? 1 : 0
            run.send(signal: SIGKILL)
            _ = try run.finish()
        }
        #expect(kills > 2)
        let last = try Program.run(words())
        #expect(last.status == 0, "\(last.errors)")
        let files = try prune.files()
        #expect(try prune.files(in: whole) == files)
        #expect(files.allSatisfy { !$0.hasSuffix(".tmp") })
        // Only these files contain times or the path of the directory.
        let timed = [
            "work", "report.json", "report.md", "report.html", "work/stages.json",
            "work/quiet.json",
        ]
        var same = 0
        for file in files
        where !timed.contains(file) && !["x.json", "x-plan.json"].contains(where: file.hasSuffix) {
            #expect(
                FileManager.default.contentsEqual(
                    atPath: prune.out + "/" + file, andPath: whole + "/" + file), "\(file)")
            same += 1
        }
        #expect(same > 20 && files.contains("flap-2x/model.safetensors"))
        try checkReport(try prune.report(), decoder: true)
    }

    @Test("Ctrl-C stops a prune, and another run resumes it")
    func interrupted() throws {
        let prune = try PruneFixture()
        let run = try Program.start(
            prune.words("--calibration-tokens", "8192", "--seconds", "20"))
        while run.isRunning, !(try run.errors.contains("Reading the tokenizer … done")) {
            usleep(2000)
        }
        run.send(signal: SIGINT)
        let outcome = try run.finish()
        #expect(outcome.status == 130 && outcome.errors.contains("interrupted"))
        #expect(outcome.output.isEmpty)
        if FileManager.default.fileExists(atPath: prune.out) {
            #expect(try prune.files().allSatisfy { !$0.hasSuffix(".tmp") })
        }
        let again = try Program.run(prune.words("--calibration-tokens", "8192"))
        #expect(again.status == 0, "\(again.errors)")
    }

    @Test("a second run in the directory gives an error")
    func locked() throws {
        let prune = try PruneFixture()
        let holder = try RunDirectory(prune.out, inputs: [:])
        let run = try Program.run(prune.words())
        withExtendedLifetime(holder) {}
        #expect(run.status == 1 && run.errors.contains("another run is at work"))
    }

    @Test("other inputs give an error, and --restart accepts them and keeps the user's files")
    func otherInputs() throws {
        let prune = try PruneFixture()
        #expect(try Program.run(prune.words()).status == 0)
        try "mine".write(toFile: prune.out + "/report.txt", atomically: true, encoding: .utf8)
        let losses = try Data(contentsOf: URL(fileURLWithPath: prune.out + "/losses.json"))
        let refused = try Program.run(prune.words("--damping", "0.1", "--seed", "2"))
        #expect(refused.status == 1)
        #expect(refused.errors.contains("(--damping, --seed)"), "\(refused.errors)")
        #expect(refused.errors.contains("--restart"))
        let text = Fixture.folder + "/text/held-out.txt"
        let other = try Program.run(prune.words(calibration: text))
        #expect(
            other.errors.contains("(--calibration, calibration.txt, held-out.txt)"),
            "\(other.errors)")
        let taken = try Program.run(prune.words("--damping", "0.1", "--restart"))
        #expect(taken.status == 0, "\(taken.errors)")
        #expect(
            try Data(contentsOf: URL(fileURLWithPath: prune.out + "/losses.json")) != losses)
        #expect(try prune.files().contains("report.txt"))
    }
}
