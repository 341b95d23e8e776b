import Foundation
import Testing

@Suite("Errors of files and environments")
struct FaultTests {
    /// Expects one error line with the given parts, status 1, and nothing on standard output.
    private func expectFault(_ run: Program.Outcome, _ parts: String...) {
        #expect(run.status == 1 && run.output.isEmpty)
        let lines = run.errors.split(separator: "\n").filter { $0.hasPrefix("espalier") }
        #expect(lines.count == 1 && lines.first == run.errors.split(separator: "\n").last)
        for part in parts { #expect(run.errors.contains(part), "\(run.errors) lacks \(part)") }
    }

    @Test(
        "a missing file gives an error",
        arguments: [
            ["profile", "/no/such.gguf"], ["bench", "/no/such.gguf"], ["inspect", "/no/such.gguf"],
            ["generate", "/no/such.gguf", "--prompt", "a"],
            ["bench", Fixture.llama, "--against", "/no/such.gguf", "--threads", "1"],
        ])
    func missing(words: [String]) throws {
        expectFault(try Program.run(words), "/no/such.gguf", "check the path")
    }

    @Test("a GGUF file whose end is missing gives an error", arguments: [3, 100, 5_000, 100_000])
    func truncated(length: Int) throws {
        let scratch = try Scratch()
        let whole = try Data(contentsOf: URL(fileURLWithPath: Fixture.gguf))
        let path = scratch.path("cut.gguf")
        try whole.prefix(length).write(to: URL(fileURLWithPath: path))
        for words in [
            ["inspect", path], ["profile", path], ["bench", path],
            ["generate", path, "--prompt", "a"],
        ] {
            expectFault(try Program.run(words), path)
        }
    }

    @Test("a damaged profile and other JSON give an error")
    func damagedJSON() throws {
        let scratch = try Scratch()
        let path = scratch.path("a.json")
        for (text, problem) in [
            ("{\"curves\": {}}", "formatVersion"), ("{\"a\": 1}", "no profile"), ("{", "a.json"),
            ("[]", "no profile"),
        ] {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            expectFault(try Program.run("inspect", path), path, problem)
        }
    }

    @Test("environments that do not fit the model give an error")
    func environments() throws {
        expectFault(
            try Program.run("profile", Fixture.bert, "--sequence", "65"), "sequence", "64")
        expectFault(
            try Program.run("profile", Fixture.llama, "--sequence", "256"), "sequence", "257")
        expectFault(try Program.run("profile", Fixture.bert, "--phase", "decode"), "phase")
        expectFault(try Program.run("bench", Fixture.llama, "--runtime", "onnx"), "runtime")
    }

    /// Returns a directory with the configuration of the tiny Llama after some changes.
    private func configuration(_ changes: [String: Any]) throws -> Scratch {
        let scratch = try Scratch()
        var config = try #require(
            try JSONSerialization.jsonObject(
                with: Data(contentsOf: URL(fileURLWithPath: Fixture.llama + "/config.json")))
                as? [String: Any])
        config.merge(changes) { $1 }
        try JSONSerialization.data(withJSONObject: config)
            .write(to: URL(fileURLWithPath: scratch.path("config.json")))
        return scratch
    }

    @Test("models that do not fit the command give an error")
    func misfits() throws {
        expectFault(
            try Program.run("generate", Fixture.bert, "--prompt", "a"), "encoder", "name a decoder")
        expectFault(
            try Program.run("bench", Fixture.llama, "--against", Fixture.bert, "--threads", "1"),
            "architecture", "bert")
        let uneven = try configuration(["per_layer_config": ["1": ["intermediate_size": 32]]])
        expectFault(try Program.run("profile", uneven.path()), "layers", "dense model")
        let huge = try configuration(["hidden_size": 1 << 18, "vocab_size": 1 << 24])
        expectFault(try Program.run("profile", huge.path()), "memory", "smaller")
    }

    @Test("a tokenizer with more tokens than the model gives an error in every command")
    func foreignTokenizer() throws {
        let scratch = try Scratch()
        let text = Fixture.folder + "/text/calibration.txt"
        for (model, tokens) in [("tiny-mistral", Fixture.llama), ("tiny-roberta", Fixture.bert)] {
            let copy = scratch.path(model)
            try FileManager.default.copyItem(atPath: Fixture.folder + "/" + model, toPath: copy)
            try FileManager.default.copyItem(
                atPath: tokens + "/tokenizer.json", toPath: copy + "/tokenizer.json")
            var commands = [
                ["prune", copy, "--speedup", "1.3", "--calibration", text, "-o", copy + ".prune"],
                ["evaluate", copy, "--against", copy, "--text", text],
            ]
            if model == "tiny-mistral" {
                commands += [
                    ["generate", copy, "--prompt", "Anna found a"],
                    ["finetune", copy, "--text", text, "--steps", "1", "-o", copy + ".tuned"],
                    ["sparsify", copy, "--text", text, "--sequence", "8", "-o", copy + ".sparse"],
                    ["export", copy, "--format", "gguf", "-o", copy + ".gguf"],
                ]
            }
            for words in commands {
                expectFault(try Program.run(words), copy, "more than the", "belongs to the model")
            }
        }
    }

    @Test("added tokens that the model lacks are read as text, and missing positions are reported")
    func beyond() throws {
        let scratch = try Scratch()
        let text = scratch.path("text.txt")
        try String(repeating: "Anna found a zebra. ", count: 20)
            .write(toFile: text, atomically: true, encoding: .utf8)
        func copy(_ name: String, changing file: String, _ change: (inout [String: Any]) -> Void)
            throws -> String
        {
            let model = scratch.path(name)
            try FileManager.default.copyItem(atPath: Fixture.llama, toPath: model)
            let url = URL(fileURLWithPath: model + "/" + file)
            var json = try #require(
                try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
            change(&json)
            try JSONSerialization.data(withJSONObject: json).write(to: url)
            return model
        }
        let wordy = try copy("wordy", changing: "tokenizer.json") {
            let more: [String: Any] = [
                "id": 100_000, "content": "zebra", "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": false,
            ]
            $0["added_tokens"] = ($0["added_tokens"] as? [Any] ?? []) + [more]
        }
        #expect(
            try Program.run("evaluate", wordy, "--text", text).output
                == Program.run("evaluate", Fixture.llama, "--text", text).output)
        let short = try copy("short", changing: "config.json") {
            $0["max_position_embeddings"] = 32
        }
        expectFault(
            try Program.run("evaluate", Fixture.llama, "--against", short, "--text", text),
            "short", "32 positions", "--window")
    }

    @Test("an output directory that cannot be written gives an error")
    func unwritable() throws {
        let run = try Program.run(
            "profile", Fixture.bert, "--seconds", "0.1", "--threads", "1", "-o", "/no/where.json")
        expectFault(run, "/no/where.json", "directory")
    }

    @Test("an output path that is a file, a directory or too long gives an error")
    func outputs() throws {
        let scratch = try Scratch()
        let (file, long) = (scratch.path("file"), scratch.path(String(repeating: "a", count: 300)))
        try Data("mine".utf8).write(to: URL(fileURLWithPath: file))
        let text = Fixture.folder + "/text/calibration.txt"
        let prune = ["prune", Fixture.llama, "--speedup", "1.3", "--calibration", text, "-o"]
        let export = ["export", Fixture.llama, "--format"]
        let cases: [([String], String)] = [
            (prune + [file], "part of the path is a file"),
            (prune + [long], "File name too long"),
            (
                ["finetune", Fixture.llama, "--text", text, "--steps", "1", "-o", file],
                "part of the path is a file"
            ),
            (export + ["huggingface", "-o", file + "/a"], "part of the path is a file"),
            (export + ["gguf", "-o", file + "/a"], "part of the path is a file"),
            (export + ["gguf", "-o", scratch.path()], "it exists"),
            (export + ["huggingface", "-o", long], "File name too long"),
        ]
        for (words, problem) in cases {
            let run = try Program.run(words)
            expectFault(run, words.last ?? "", problem)
            #expect(!run.errors.contains("Cocoa") && !run.errors.contains("could not be completed"))
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == Data("mine".utf8))
    }

    @Test("more threads than CPUs give an error")
    func threads() throws {
        for command in [["generate", Fixture.llama, "--prompt", "a"], ["profile", Fixture.bert]] {
            let run = try Program.run(command + ["--threads", "1024"])
            #expect(run.status == 2 && run.output.isEmpty)
            #expect(run.errors.contains("1024") && run.errors.contains("CPU"))
        }
    }

    @Test("a model that does not fit the shell's memory limit gives an error")
    func memory() throws {
        let scratch = try configuration(["vocab_size": 1 << 20, "hidden_size": 1 << 9])
        for words in [["profile", scratch.path(), "-o", scratch.path("p.json")]] {
            let run = try Program.run(words, memoryKilobytes: 2_000_000)
            expectFault(run, "memory", "smaller", "this process may use 1.9 GiB")
        }
    }

    @Test("a full standard output gives an error")
    func full() throws {
        #if os(Linux)
            let run = try Program.run(
                ["inspect", Fixture.llama, "--json"], shell: "exec \"$@\" > /dev/full")
            expectFault(run, "standard output", "No space left on device")
        #endif
    }
}
