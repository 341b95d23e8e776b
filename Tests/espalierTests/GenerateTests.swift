import Foundation
import ModelFiles
import Tensors
import Testing
import Tokenizers
import Transformers

@Suite("Generating text")
struct GenerateTests {
    /// Returns the greedy continuation of the library, which the tests of `Transformers` compare
    /// with the reference.
    private func continuation(of prompt: String, count: Int) throws -> (ids: [Int32], text: String)
    {
        let checkpoint = try Checkpoint(Fixture.llama)
        let tokenizer = try checkpoint.tokenizer()
        var generator = Generator(
            ForwardPass(try Model(checkpoint), on: Engine(threads: 1)),
            sampler: Sampler(temperature: 0), capacity: 128)
        var ids: [Int32] = []
        try generator.generate(
            after: tokenizer.encode(prompt, addingSpecialTokens: true), count: count,
            ends: try checkpoint.endTokens(with: tokenizer)
        ) { ids.append($0) }
        return (ids, tokenizer.decode(ids))
    }

    @Test(
        "greedy text equals the text of the library, from safetensors and GGUF",
        arguments: [Fixture.llama, Fixture.gguf])
    func greedy(model: String) throws {
        let want = try continuation(of: "Once upon a time", count: 20)
        #expect(want.ids.count > 5)
        let words = ["generate", model, "-p", "Once upon a time", "-n", "20", "--threads", "1"]
        let run = try Program.run(words)
        #expect(run.status == 0 && run.output == want.text + "\n")
        #expect(run.errors.contains("tokens/s"))
        let answer = try Program.run(words + ["--json"]).object()
        #expect(answer["text"] as? String == want.text)
        #expect(answer["tokens"] as? [Int] == want.ids.map(Int.init))
    }

    @Test("equal seeds give equal texts, and different seeds different texts")
    func seeds() throws {
        func text(_ seed: String) throws -> String {
            let run = try Program.run(
                "generate", Fixture.llama, "--prompt", "", "-n", "40", "--temperature", "1.5",
                "--top-p", "0.95", "--seed", seed, "--threads", "1")
            #expect(run.status == 0, "\(run.errors)")
            return run.output
        }
        let first = try text("1")
        #expect(try text("1") == first)
        #expect(try text("2") != first)
    }

    @Test("a prompt that fills all positions of the model gives an error")
    func longPrompt() throws {
        let run = try Program.run(
            "generate", Fixture.llama, "--prompt", String(repeating: "a b ", count: 300))
        #expect(run.status == 1 && run.errors.contains("shorter prompt"))
    }

    /// Returns a copy of the tiny Llama with a chat template and an end token that it generates at
    /// once.
    private func chatModel(_ scratch: Scratch, template: String) throws -> String {
        let path = scratch.path("chat")
        try FileManager.default.copyItem(atPath: Fixture.llama, toPath: path)
        let configuration = ["chat_template": template, "bos_token": "<s>"]
        try JSONSerialization.data(withJSONObject: configuration)
            .write(to: URL(fileURLWithPath: path + "/tokenizer_config.json"))
        return path
    }

    @Test("--chat renders the prompt with the template, and without --chat nothing changes")
    func chat() throws {
        let scratch = try Scratch()
        let model = try chatModel(
            scratch,
            template: "{{ bos_token }}{% for m in messages %}{{ m.role[0] ~ ': ' ~ m.content }}\n"
                + "{% endfor %}{% if add_generation_prompt %}Once upon{% endif %}")
        let words = ["generate", model, "-n", "8", "--threads", "1", "--json"]
        let chat = try Program.run(
            words + ["--chat", "--system", "Be kind.", "--prompt", "Anna"]
        ).object()
        let rendered = try #require(chat["rendered"] as? String)
        #expect(rendered == "<s>s: Be kind.\nu: Anna\nOnce upon")
        let plain = try Program.run(words + ["--prompt", rendered, "--raw"]).object()
        #expect(plain["tokens"] as? [Int] == chat["tokens"] as? [Int])
        #expect(plain["rendered"] == nil)
    }

    @Test("a template that is missing, unsupported or raises an exception gives an error")
    func chatRefused() throws {
        let scratch = try Scratch()
        func run(_ template: String) throws -> Program.Outcome {
            try? FileManager.default.removeItem(atPath: scratch.path("chat"))
            return try Program.run(
                "generate", try chatModel(scratch, template: template), "--prompt", "a", "--chat")
        }
        let refused = try run("{{ raise_exception('no users') }}")
        #expect(refused.status == 1 && refused.errors.contains("line 1: the template refuses"))
        let unknown = try run("{% include 'x' %}")
        #expect(unknown.status == 1 && unknown.errors.contains("{% include %}"))
        let none = try Program.run("generate", Fixture.llama, "--prompt", "a", "--chat")
        #expect(none.status == 1 && none.errors.contains("the model has no chat template"))
        for words in [["--chat", "--raw"], ["--system", "a"]] {
            let run = try Program.run(["generate", Fixture.llama, "--prompt", "a"] + words)
            #expect(run.status == 2 && run.errors.contains("--chat"))
        }
    }

    @Test("if a chat model generates nothing, the output suggests --chat")
    func silent() throws {
        let scratch = try Scratch()
        let model = try chatModel(scratch, template: "x")
        // Every token is an end token.
        let count = try ModelShape(contentsOf: model).vocabularySize
        try #"{"eos_token_id": \#(Array(0..<count))}"#.write(
            toFile: model + "/generation_config.json", atomically: true, encoding: .utf8)
        let run = try Program.run("generate", model, "--prompt", "Anna")
        #expect(run.status == 0 && run.output == "\n")
        #expect(run.errors.contains("\nNothing was written: the model ended the text at once."))
        #expect(run.errors.contains("--chat"))
        let chat = try Program.run("generate", model, "--prompt", "Anna", "--chat")
        #expect(!chat.errors.contains("--chat"))
    }

    @Test("a sparsified model skips neurons and reports the densities")
    func sparsified() throws {
        let scratch = try Scratch()
        let text = (0..<400).map { "Anna found a red ball, then \($0) more, and ran home. " }
            .joined()
        try text.write(toFile: scratch.path("text.txt"), atomically: true, encoding: .utf8)
        let words = [
            "sparsify", Fixture.llama, "--text", scratch.path("text.txt"), "--tokens", "1024",
            "--sequence", "16", "--seconds", "0.1", "--threads", "1", "--cost", "0.5",
        ]
        let run = try Program.run(words + ["--json", "-o", scratch.path("sparse")]).object()
        let trials = try #require(run["trials"] as? [[String: Any]])
        let dense = try #require(run["densePerplexity"] as? Double)
        #expect(!trials.isEmpty)
        // Coarse logits are used only to find the largest logit, so they do not change the
        // perplexity.
        #expect(trials[0]["perplexity"] as? Double == dense)

        let written = try Program.run(
            "generate", scratch.path("sparse"), "--prompt", "Anna", "-n", "8", "--threads", "1")
        #expect(written.status == 0 && !written.output.isEmpty, "\(written.errors)")
        let bench = [
            "bench", scratch.path("sparse"), "--sequence", "16", "--seconds", "0.1", "--threads",
            "1",
        ]
        for more in [[], ["--against", Fixture.llama]] {
            let refused = try Program.run(bench + more)
            #expect(refused.status == 1 && refused.errors.contains("contextual.json"))
        }
        let asReference = try Program.run([
            "bench", Fixture.llama, "--against", scratch.path("sparse"), "--sequence", "16",
            "--seconds", "0.1", "--threads", "1",
        ])
        #expect(asReference.status == 1 && asReference.errors.contains("contextual.json"))
        #expect(try Program.run(bench + ["--text", scratch.path("text.txt")]).status == 0)

        // All neurons and exact logits are computed, so nothing is skipped.
        let whole = scratch.path("whole")
        let all = try Program.run(words + ["--density", "1", "--json", "-o", whole]).object()
        let first = try #require((all["trials"] as? [[String: Any]])?.first)
        #expect(first["perplexity"] as? Double == dense && all["best"] == nil)
        let plan = try String(contentsOfFile: whole + "/contextual.json", encoding: .utf8)
        #expect(plan.contains("\"layers\": []") && !plan.contains("head_margin"))
        #expect(FileManager.default.fileExists(atPath: whole + "/sparsity.html"))

        let impossible = try Program.run(
            words + ["--speedup", "90", "-o", scratch.path("impossible")])
        #expect(impossible.status == 1 && impossible.errors.contains("--speedup"))
        #expect(!FileManager.default.fileExists(atPath: scratch.path("impossible")))
    }

    @Test("units of a named prune are removed too, and an incomplete prune gives an error")
    func pruned() throws {
        let prune = try PruneFixture()
        let pruned = try Program.run(prune.words())
        #expect(pruned.status == 0, "\(pruned.errors)")
        let sparse = prune.scratch.path("sparse")
        let words = [
            "sparsify", Fixture.llama, "--text", Fixture.folder + "/text/calibration.txt",
            "--tokens", "1024", "--sequence", "32", "--seconds", "0.1", "--threads", "1", "--cost",
            "10", "--predictor", "coarse", "--prune", prune.out, "-o", sparse,
        ]
        let run = try Program.run(words + ["--json"]).object()
        let removed = try #require(run["removed"] as? [Double])
        let dense = try ModelShape(contentsOf: Fixture.llama)
        let shape = try ModelShape(contentsOf: sparse)
        func gone(_ units: KeyPath<LayerShape, Int>) -> Double {
            let (left, all) = (
                shape.layers.map { $0[keyPath: units] }.reduce(0, +),
                dense.layers.map { $0[keyPath: units] }.reduce(0, +)
            )
            return 1 - Double(left) / Double(all)
        }
        for (told, real) in zip(removed, [gone(\.queryHeads), gone(\.feedForward)]) {
            #expect(abs(told - real) < 1e-9)
        }
        let written = try Program.run("generate", sparse, "--prompt", "Anna", "-n", "8")
        #expect(written.status == 0, "\(written.errors)")

        try FileManager.default.removeItem(atPath: prune.out + "/losses.json")
        let again = try Program.run(words.dropLast() + [prune.scratch.path("again")])
        #expect(again.status == 1 && again.errors.contains("losses.json"), "\(again.errors)")
        #expect(!FileManager.default.fileExists(atPath: prune.scratch.path("again")))
    }
}
