import Foundation
import Tensors
import Testing

@Suite("Errors of a prune", .serialized)
struct PruneFaultTests {
    private func expectFault(_ run: Program.Outcome, _ parts: String...) {
        #expect(run.status == 1 && run.output.isEmpty)
        let lines = run.errors.split(separator: "\n").filter { $0.hasPrefix("espalier") }
        #expect(lines.count == 1 && lines.first == run.errors.split(separator: "\n").last)
        for part in parts { #expect(run.errors.contains(part), "\(run.errors) lacks \(part)") }
    }

    @Test("missing, empty and short texts give an error")
    func poorText() throws {
        for model in [Fixture.llama, Fixture.bert] {
            let prune = try PruneFixture(model)
            expectFault(
                try Program.run(prune.words(calibration: "/no/such.txt")), "/no/such.txt",
                "check the path")
            expectFault(
                try Program.run(prune.words(calibration: prune.scratch.path())),
                prune.scratch.path())
            for text in ["", "\n \n", "Hello."] {
                let path = prune.scratch.path("short.txt")
                try text.write(toFile: path, atomically: true, encoding: .utf8)
                expectFault(try Program.run(prune.words(calibration: path)), path, "too short")
            }
            #expect(!FileManager.default.fileExists(atPath: prune.out))
        }
    }

    @Test(
        "a calibration file that is not text gives an error",
        arguments: [Fixture.llama, Fixture.bert])
    func garbage(model: String) throws {
        let prune = try PruneFixture(model)
        var random = SplitMix64(seed: 1)
        let path = prune.scratch.path("garbage")
        let bytes = (0..<20_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let run = try Program.run(prune.words(calibration: path))
        expectFault(run, path, "not text in UTF-8")
        #expect(!FileManager.default.fileExists(atPath: prune.out))
    }

    @Test(
        "a damaged model gives an error",
        arguments: ["model.safetensors", "config.json", "tokenizer.json"])
    func damagedModel(name: String) throws {
        let scratch = try Scratch()
        let model = scratch.path("tiny")
        try FileManager.default.copyItem(atPath: Fixture.llama, toPath: model)
        let prune = try PruneFixture()
        let url = URL(fileURLWithPath: model + "/" + name)
        let whole = try Data(contentsOf: url)
        for length in [0, 9, whole.count / 2, whole.count - 2] {
            try whole.prefix(length).write(to: url)
            var words = prune.words()
            words[1] = model
            expectFault(try Program.run(words), name)
        }
        #expect(!FileManager.default.fileExists(atPath: prune.out))
    }

    @Test("a model with NaN in its weights gives an error")
    func notFinite() throws {
        let scratch = try Scratch()
        let model = scratch.path("tiny")
        try FileManager.default.copyItem(atPath: Fixture.llama, toPath: model)
        let url = URL(fileURLWithPath: model + "/model.safetensors")
        var bytes = [UInt8](try Data(contentsOf: url))
        let header = bytes.prefix(8).enumerated().reduce(0) { $0 + Int($1.1) << (8 * $1.0) }
        for index in (8 + header)..<bytes.count { bytes[index] = 0xFF }
        try Data(bytes).write(to: url)
        let prune = try PruneFixture()
        var words = prune.words(to: scratch.path("out"))
        words[1] = model
        expectFault(try Program.run(words), "finite")
    }

    @Test(
        "a target above --max-loss gives an error with the losses of lower targets",
        arguments: [Fixture.llama, Fixture.bert])
    func maxLoss(model: String) throws {
        let prune = try PruneFixture(model)
        let one = try Program.run(prune.words(speedup: "3", "--max-loss", "0"))
        expectFault(one, "3.00×", "--max-loss 0", "at lower speedups: about 1.50×")
        #expect(!FileManager.default.fileExists(atPath: prune.out + "/3x"))
        #expect(!FileManager.default.fileExists(atPath: prune.out + "/report.json"))
        // With one attempt, measured times cannot change the plan.
        func words(_ prune: PruneFixture, _ limit: Double = 1000) -> [String] {
            prune.words("--speedup", "3", "--attempts", "1", "--max-loss", "\(limit)")
        }
        let other = try PruneFixture(model)
        #expect(try Program.run(words(other)).status == 0)
        let targets = try #require(try other.report()["targets"] as? [[String: Any]])
        let name = model == Fixture.llama ? "perplexity" : "meanCosineDistance"
        let values = targets.compactMap { $0[name] as? Double }
        let dense = (try other.report()["dense"] as? [String: Any])?[name] as? Double
        let losses = values.map { model == Fixture.llama ? $0 / (dense ?? 1) - 1 : $0 }
        try #require(losses.count == 2 && losses[0] < losses[1])
        let between = (losses[0] + losses[1]) / 2
        let both = try PruneFixture(model)
        let run = try Program.run(words(both, between))
        #expect(run.status == 1 && run.output.contains("1.30×"), "\(run.errors)")
        #expect(run.errors.contains("the target 3.00× is not written"), "\(run.errors)")
        #expect(FileManager.default.fileExists(atPath: both.out + "/1.3x"))
        #expect(!FileManager.default.fileExists(atPath: both.out + "/3x"))
        let notes = try #require(try both.report()["notes"] as? [String])
        #expect(notes.contains { $0.hasPrefix("The target 3.00× is not written") })
        #expect(try both.report()["refused"] != nil)
    }

    @Test("a damaged profile or a profile of another model or environment gives an error")
    func otherProfile() throws {
        let (prune, other) = (try PruneFixture(), try PruneFixture(Fixture.bert))
        let theirs = other.scratch.path("made.profile.json")
        expectFault(
            try Program.run(prune.words("--profile", theirs)), "made.profile.json",
            "it is of tiny-bert (bert, ", "not of tiny-llama (llama, ",
            "architecture bert instead of llama")
        expectFault(try Program.run(prune.words("--sequence", "16")), "context 16", "--profile")
        expectFault(try Program.run(prune.words("--precision", "int8")), "int8", "--profile")
        try "{".write(
            toFile: prune.scratch.path("made.profile.json"), atomically: true, encoding: .utf8)
        expectFault(try Program.run(prune.words()), "made.profile.json")
    }

    @Test("a profile in the output directory must be of the same model")
    func foreignProfile() throws {
        let (prune, other) = (try PruneFixture(), try PruneFixture(Fixture.bert))
        try FileManager.default.createDirectory(
            atPath: prune.out, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: other.scratch.path("made.profile.json"), toPath: prune.out + "/profile.json")
        expectFault(try Program.run(prune.words()), "profile.json")
    }

    @Test("a model that was pruned before gives an error")
    func prunedBefore() throws {
        let prune = try PruneFixture()
        #expect(try Program.run(prune.words()).status == 0)
        let again = try PruneFixture()
        var words = again.words()
        words[1] = prune.out + "/1.3x"
        expectFault(try Program.run(words), "1.3x", "pruned already", "dense model")
    }

    @Test("an unknown head gives an error before any files are written")
    func unknownHead() throws {
        let prune = try PruneFixture(Fixture.bert)
        let model = prune.scratch.path("tiny")
        try FileManager.default.copyItem(atPath: Fixture.bert, toPath: model)
        let config = model + "/config.json"
        try String(contentsOfFile: config, encoding: .utf8)
            .replacingOccurrences(of: "BertModel", with: "BertLMHeadModel")
            .write(toFile: config, atomically: true, encoding: .utf8)
        var words = prune.words()
        words[1] = model
        // A pooler without a classifier belongs to no head.
        #expect(try Program.run(words).status == 0)
        try FileManager.default.removeItem(atPath: prune.out)
        let weights = URL(fileURLWithPath: model + "/model.safetensors")
        var bytes = [UInt8](try Data(contentsOf: weights))
        let (old, new) = (Array("pooler.dense.weight".utf8), Array("ranker.dense.weight".utf8))
        let place = try #require(
            bytes.indices.dropLast(old.count).first {
                bytes[$0..<$0 + old.count].elementsEqual(old)
            })
        bytes.replaceSubrange(place..<place + old.count, with: new)
        try Data(bytes).write(to: weights)
        for words in [words, ["export", model, "--format", "onnx", "-o", prune.out]] {
            expectFault(try Program.run(words), "BertLMHeadModel", "ranker.dense.weight")
            #expect(!FileManager.default.fileExists(atPath: prune.out))
        }
    }

    @Test("a target that cannot be reached leaves only the profile")
    func unreachable() throws {
        let prune = try PruneFixture()
        expectFault(try Program.run(prune.words(speedup: "50")))
        #expect(try prune.files() == ["profile.json"])
        #expect(try Program.run(prune.words()).status == 0)
    }

    @Test("an export overwrites no files", arguments: ["gguf", "huggingface", "onnx"])
    func existing(format: String) throws {
        let scratch = try Scratch()
        let model = scratch.path("tiny")
        try FileManager.default.copyItem(atPath: Fixture.llama, toPath: model)
        let weights = model + "/model.safetensors"
        let whole = try Data(contentsOf: URL(fileURLWithPath: weights))
        for output in [weights, model, scratch.path()] {
            expectFault(
                try Program.run("export", model, "--format", format, "-o", output), output,
                "it exists")
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: weights)) == whole)
    }

    @Test("an output path that cannot be written gives an error")
    func unwritable() throws {
        let prune = try PruneFixture()
        try "".write(toFile: prune.scratch.path("file"), atomically: true, encoding: .utf8)
        let out = prune.scratch.path("file/out")
        expectFault(try Program.run(prune.words(to: out)), out, "choose another -o")
    }

    @Test(
        "a full disk leaves no half-written files, and a rerun with space succeeds",
        arguments: [0, 1, 8, 100, 600])
    func full(blocks: Int) throws {
        let prune = try PruneFixture()
        let run = try Program.run(prune.words(), fileBlocks: blocks)
        #expect(run.status == 1, "\(run.errors)")
        if blocks > 1 { expectFault(run, prune.out, "cannot be written", "room") }
        if FileManager.default.fileExists(atPath: prune.out) {
            #expect(try prune.files().allSatisfy { !$0.hasSuffix(".tmp") && $0 != "1.3x" })
        }
        let again = try Program.run(prune.words())
        #expect(again.status == 0, "\(again.errors)")
    }
}
