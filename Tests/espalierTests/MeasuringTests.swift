import Foundation
import Profiling
import Tensors
import Testing
import Transformers

@Suite("The commands profile and bench", .serialized)
struct MeasuringTests {
    @Test("a profile can be made from a configuration without weights, and inspect shows it")
    func profile() throws {
        let scratch = try Scratch()
        try FileManager.default.copyItem(
            atPath: Fixture.llama + "/config.json", toPath: scratch.path("config.json"))
        let run = try Program.measure(
            [
                "profile", scratch.path(), "--threads", "1", "--sequence", "32", "-o", "mine.json",
            ], in: scratch.path())
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.contains("Greatest speedup") && run.output.contains("mine.json"))
        let path = scratch.path("mine.json")
        let table = try LatencyTable(contentsOf: path)
        // The warning counts the same models as the profiler.
        let count = Profiler.modelCount(
            for: try ModelShape(contentsOf: Fixture.llama), in: table.profiledFormats,
            heads: Array(table.heads.keys))
        #expect(run.errors.contains("(\(count) models, "), "\(run.errors)")
        #expect(!run.errors.contains("levels"))
        if run.errors.contains("noisy") { #expect(run.errors.contains("of \(count) models are")) }
        #expect(table.shape == (try ModelShape(contentsOf: Fixture.llama)))
        #expect(table.model == URL(fileURLWithPath: scratch.path()).lastPathComponent)
        #expect(table.environment.phase == .decode && table.environment.sequence == 32)
        #expect(table.curves[.feedForward]?.entries.map(\.level) == [96, 64, 32])

        let shown = try Program.run("inspect", path)
        #expect(shown.status == 0)
        for kind in ["attention", "feed-forward"] { #expect(shown.output.contains(kind)) }
        for level in ["  96  ", "  64  ", "  32  "] { #expect(shown.output.contains(level)) }
        for line in shown.output.split(separator: "\n") { #expect(line.count <= 80) }
        #expect(try Program.run("inspect", path, "--json").output.utf8.elementsEqual(table.json()))
    }

    @Test("a verified profile lists its random plans, and inspect shows them")
    func verify() throws {
        let scratch = try Scratch()
        let words = [
            "profile", Fixture.llama, "--threads", "1", "--phase", "prefill", "--sequence", "16",
            "--verify", "--plans", "5", "-o", scratch.path("mine.json"),
        ]
        let answer = try Program.measure(words + ["--json"]).object()
        let found = try #require(answer["verification"] as? [String: Any])
        #expect(found["plans"] as? Int == 5)
        let pairs = try #require(found["pairs"] as? [[Double]])
        let errors = pairs.map { abs($0[0] / $0[1] - 1) }.sorted()
        #expect(errors.count == 5)
        #expect(abs(try #require(found["medianError"] as? Double) - errors[2]) < 1e-9)
        #expect(abs(try #require(found["worstError"] as? Double) - errors[4]) < 1e-9)
        let shown = try Program.run("inspect", scratch.path("mine.json")).output
        #expect(shown.contains("5 random plans: median"))
        for line in shown.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
    }

    @Test("without -o a profile is named after model and phase; with --json it is printed")
    func profileNames() throws {
        let scratch = try Scratch()
        let words = ["profile", Fixture.bert, "--threads", "1", "--precision", "int8"]
        #expect(try Program.measure(words, in: scratch.path()).status == 0)
        let names = try FileManager.default.contentsOfDirectory(atPath: scratch.path())
        #expect(names == ["tiny-bert-encode.profile.json"])
        let printed = try Program.measure(words + ["--json"], in: scratch.path())
        let table = try LatencyTable(json: Array(printed.output.utf8), file: "output")
        #expect(table.environment.precision == .int8)
        #expect(table.environment.sequence == 64, "the length was not cut")
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path()) == names)
    }

    @Test("the JSON of bench has the documented keys")
    func benchAlone() throws {
        let answer = try Program.measure(
            ["bench", Fixture.gguf, "--threads", "1", "--batch", "3", "--json"]
        ).object()
        #expect(Set(answer.keys) == ["environment", "isDisturbed", "model"])
        let environment = try #require(answer["environment"] as? [String: Any])
        #expect(
            Set(environment.keys) == [
                "phase", "batch", "sequence", "threads", "precision", "runtime",
                "instructionSet", "machine",
            ])
        #expect(environment["phase"] as? String == "decode")
        #expect(environment["batch"] as? Int == 3)
        #expect(environment["sequence"] as? Int == 255)
        try checkFigures(answer["model"])
    }

    @Test("a chosen instruction set is used and reported, and must exist on this processor")
    func instructionSets() throws {
        let words = ["bench", Fixture.llama, "--threads", "1", "--precision", "bf16", "--json"]
        for name in [try #require(InstructionSet.available.first), "scalar"] {
            let answer = try Program.measure(words + ["--instruction-set", name]).object()
            let environment = try #require(answer["environment"] as? [String: Any])
            #expect(environment["instructionSet"] as? String == name)
        }
        let refused = try Program.run(words + ["--instruction-set", "sse"])
        #expect(refused.status == 2)
        #expect(refused.errors.contains(InstructionSet.available.joined(separator: ", ")))

        let scratch = try Scratch()
        let profile = scratch.path("profile.json")
        let made = try Program.measure(
            [
                "profile", Fixture.llama, "--threads", "1", "--instruction-set", "scalar", "-o",
                profile,
            ])
        #expect(made.status == 0)
        #expect(made.output.contains("f32, scalar"))
        let table = try LatencyTable(contentsOf: profile)
        #expect(table.environment.instructionSet == "scalar")
        if InstructionSet.available.count > 1 {
            let other = try Program.run([
                "prune", Fixture.llama, "--speedup", "1.1", "--threads", "1", "--profile", profile,
                "--calibration", Fixture.folder + "/text/calibration.txt", "-o",
                scratch.path("out"),
            ])
            #expect(other.status == 1 && other.errors.contains("f32, scalar, not for"))
        }
    }

    @Test("with --serve, bench times a block for every line on standard input")
    func benchServes() throws {
        let words = ["bench", Fixture.llama, "--threads", "1", "--sequence", "32", "--serve"]
        let run = try Program.run(words, input: "2\n1\n")
        #expect(run.status == 0, "\(run.errors)")
        let lines = try run.output.split(separator: "\n").map {
            try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        try #require(lines.count == 3)
        #expect(lines[0]["ready"] as? Bool == true)
        for block in lines[1...] {
            let seconds = try #require(block["seconds"] as? Double)
            let share = try #require(block["share"] as? Double)
            #expect(seconds > 0 && share > 0 && share <= 1.1)
        }
        for line in ["0", "two", ""] {
            let refused = try Program.run(words, input: "\(line)\n1\n")
            #expect(refused.status == 2 && refused.errors.contains("numbers of runs"))
        }
        #expect(try Program.run(words + ["--limits"], input: "").status == 2)
    }

    @Test("bench with --against gives the speedup and its interval")
    func benchAgainst() throws {
        let words = [
            "bench", Fixture.llama, "--against", Fixture.gguf, "--threads", "1", "--phase",
            "prefill", "--sequence", "16",
        ]
        let answer = try Program.measure(words + ["--json"]).object()
        #expect(
            Set(answer.keys) == [
                "environment", "isDisturbed", "model", "dense", "speedup", "speedupInterval",
            ])
        try checkFigures(answer["model"])
        try checkFigures(answer["dense"])
        let speedup = try #require(answer["speedup"] as? Double)
        let interval = try #require(answer["speedupInterval"] as? [Double])
        #expect(interval.count == 2 && interval[0] <= speedup && speedup <= interval[1])
        let text = try Program.measure(words).output
        #expect(text.contains("tiny-llama") && text.contains("Speedup"))
        // The ratio of the two times is the speedup.
        func seconds(_ key: String) throws -> Double {
            try #require((answer[key] as? [String: Any])?["seconds"] as? Double)
        }
        #expect(abs(try seconds("dense") / seconds("model") / speedup - 1) < 1e-9)
    }

    @Test("bench compares a model with itself in another precision")
    func benchPrecisions() throws {
        let words = [
            "bench", Fixture.llama, "--precision", "int8", "--against", Fixture.llama,
            "--against-precision", "f32", "--threads", "1", "--sequence", "32",
        ]
        let answer = try Program.measure(words + ["--json"]).object()
        #expect(answer["densePrecision"] as? String == "f32")
        let environment = try #require(answer["environment"] as? [String: Any])
        #expect(environment["precision"] as? String == "int8")
        let text = try Program.measure(words).output
        #expect(text.contains("tiny-llama, int8  ") && text.contains("tiny-llama, f32  "))
        for line in text.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
        let other = try Program.run(words + ["--runtime", "command:true"])
        #expect(other.status == 2 && other.errors.contains("--against-precision"))
    }

    @Test(
        "--limits compares products with the peak and decoding with the bandwidth",
        arguments: ["f32", "bf16", "int8", "bf16x2"])
    func limits(precision: String) throws {
        let words = [
            "bench", Fixture.llama, "--threads", "1", "--limits", "--precision", precision,
        ]
        let answer = try Program.measure(words + ["--json"]).object()
        let limits = try #require(answer["limits"] as? [String: Any])
        #expect(
            Set(limits.keys) == [
                "precision", "arithmeticPeak", "readBandwidth", "products", "decode",
                "instructionSet",
            ])
        #expect(limits["precision"] as? String == precision)
        let products = try #require(limits["products"] as? [[String: Any]])
        let sizes = products.map { product in ["m", "k", "n"].map { product[$0] as? Int } }
        let rows = [64, 128, 512]
        #expect(
            sizes
                == [(64, 128), (64, 64), (64, 192), (96, 64)].flatMap { size in
                    rows.map { [$0, size.0, size.1] }
                })
        for product in products {
            let fraction = try #require(product["fractionOfPeak"] as? [String: Double])
            let median = try #require(fraction["median"])
            #expect(median > 0 && median <= 1)
        }
        let text = try Program.measure(words).output
        for line in text.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
    }

    @Test(
        "evaluate compares a model in another precision with the same model in f32",
        arguments: ["bf16", "int8"], [Fixture.llama, Fixture.bert])
    func evaluatePrecision(precision: String, model: String) throws {
        func answer(_ more: String...) throws -> [String: Any] {
            try Program.run(
                [
                    "evaluate", model, "--text", Fixture.folder + "/text/held-out.txt",
                    "--windows", "2", "--threads", "1", "--precision", precision, "--json",
                ] + more
            ).object()
        }
        let alone = try answer()
        let against = try answer("--against", model)
        let key = model == Fixture.bert ? "meanCosineDistance" : "kl"
        let distance = try #require(alone[key] as? Double)
        #expect(distance > 0 && distance < 0.01)
        #expect(against[key] as? Double == distance)
    }

    @Test(
        "two terms in bfloat16 are nearer to f32 than one on matrix units, and f32 without them",
        arguments: [Fixture.llama, Fixture.bert])
    func evaluateTwoTerms(model: String) throws {
        func distance(_ precision: String, _ instructionSet: String) throws -> Double {
            let answer = try Program.run(
                "evaluate", model, "--against", model, "--text",
                Fixture.folder + "/text/held-out.txt", "--windows", "2", "--threads", "1",
                "--precision", precision, "--instruction-set", instructionSet, "--json"
            ).object()
            return try #require(
                answer[model == Fixture.bert ? "meanCosineDistance" : "kl"] as? Double)
        }
        let one = try distance("bf16", InstructionSet.emulated)
        let two = try distance("bf16x2", InstructionSet.emulated)
        #expect(one > 0 && abs(two) < one / 100, "\(two), \(one)")
        #expect(try distance("bf16x2", "scalar") == 0)
    }

    private func checkFigures(_ value: Any?) throws {
        let figures = try #require(value as? [String: Any])
        #expect(Set(figures.keys) == ["seconds", "spread", "samples"])
        #expect(try #require(figures["seconds"] as? Double) > 0)
        #expect(try #require(figures["samples"] as? Int) >= 1)
    }
}
