import Foundation
import ModelFiles
import Testing
import Transformers

/// `inspect` and the other commands give the same error for a wrong model, before any work.
@Suite("Models that cannot be opened")
struct RefusedModelTests {
    private let scratch: Scratch
    private let text = Fixture.folder + "/text/calibration.txt"

    init() throws { scratch = try Scratch() }

    /// Copies a model and changes its configuration.
    private func copy(
        _ model: String, _ fields: [String: Any] = [:], without file: String? = nil
    ) throws -> String {
        let path = scratch.path(UUID().uuidString)
        try FileManager.default.copyItem(atPath: model, toPath: path)
        let url = URL(fileURLWithPath: path + "/config.json")
        var config = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
        config.merge(fields) { $1 }
        try JSONSerialization.data(withJSONObject: config).write(to: url)
        if let file { try FileManager.default.removeItem(atPath: path + "/" + file) }
        return path
    }

    /// Runs the commands that open a model, and expects the same immediate error from all of them.
    private func expectRefusal(of model: String, _ parts: String...) throws {
        let inspected = try Program.run("inspect", model)
        let reason = inspected.errors.replacing("espalier inspect: ", with: "")
        for part in parts {
            #expect(inspected.errors.contains(part), "\(inspected.errors) lacks \(part)")
        }
        for words in [
            ["prune", model, "--speedup", "1.3", "--calibration", text, "-o", scratch.path("out")],
            ["profile", model, "--seconds", "0.1", "-o", scratch.path("profile.json")],
            ["evaluate", model, "--text", text], ["bench", model, "--seconds", "0.1"],
            ["export", model, "--format", "huggingface", "-o", scratch.path("exported")],
        ] {
            let run = try Program.run(words)
            #expect(run.status == 1 && run.output.isEmpty, "\(words)")
            #expect(run.errors.hasSuffix(reason), "\(words): \(run.errors)")
            #expect(!run.errors.contains("Profiling"))
        }
        #expect(inspected.status == 1)
        #expect(!FileManager.default.fileExists(atPath: scratch.path("out")))
    }

    @Test("wrong sizes and unsupported values give an error")
    func misfits() throws {
        try expectRefusal(
            of: try copy(Fixture.llama, ["intermediate_size": 80]), "shape", "configuration")
        try expectRefusal(
            of: try copy(Fixture.bert, ["is_decoder": true]), "is_decoder", "only false")
        try expectRefusal(
            of: try copy(Fixture.llama, ["quantization_config": ["quant_method": "awq"]]),
            "quantised by awq")
        try expectRefusal(of: try copy(Fixture.llama, ["model_type": "gemma"]), "gemma", "SmolLM2")
    }

    @Test("a missing output head gives an error")
    func head() throws {
        try expectRefusal(
            of: try copy(Fixture.llama, ["tie_word_embeddings": false]), "lm_head.weight",
            "tie_word_embeddings")
    }

    @Test("a git-LFS pointer instead of weights gives an error")
    func pointer() throws {
        let model = try copy(Fixture.llama)
        try "version https://git-lfs.github.com/spec/v1\nsize 5\n".write(
            toFile: model + "/model.safetensors", atomically: true, encoding: .utf8)
        try expectRefusal(of: model, "git-LFS pointer", "git lfs pull")
    }

    @Test("for PyTorch weights, inspect shows the sizes and says how to convert the weights")
    func pickle() throws {
        let model = try copy(Fixture.llama, without: "model.safetensors")
        try "x".write(toFile: model + "/pytorch_model.bin", atomically: true, encoding: .utf8)
        let inspected = try Program.run("inspect", model)
        #expect(inspected.status == 0 && inspected.output.contains("llama"))
        let run = try Program.run("evaluate", model, "--text", text)
        #expect(run.status == 1)
        for errors in [inspected.errors, run.errors] {
            #expect(errors.contains("LlamaForCausalLM.from_pretrained('\(model)')"), "\(errors)")
        }
    }

    @Test("without tokenizer.json, inspect says how to create the file")
    func vocabulary() throws {
        let model = try copy(Fixture.bert, without: "tokenizer.json")
        try "a\n".write(toFile: model + "/vocab.txt", atomically: true, encoding: .utf8)
        let inspected = try Program.run("inspect", model)
        let run = try Program.run(
            "prune", model, "--speedup", "1.3", "--calibration", text, "-o", scratch.path("out"))
        #expect(inspected.status == 0 && run.status == 1)
        for errors in [inspected.errors, run.errors] {
            #expect(errors.contains("only vocab.txt") && errors.contains("AutoTokenizer"))
        }
    }

    @Test("an unknown field gives one warning in every command")
    func unknown() throws {
        let model = try copy(Fixture.llama, ["mystery_scale": 2])
        for words in [
            ["inspect", model], ["evaluate", model, "--text", text],
            ["profile", model, "--seconds", "0.1", "--json"],
        ] {
            let errors = try Program.run(words).errors
            #expect(errors.components(separatedBy: "mystery_scale").count == 2, "\(errors)")
        }
    }

    @Test("inspect shows an unsupported GGUF file with the error of other commands")
    func gguf() throws {
        let path = scratch.path("other.gguf")
        for (metadata, part) in [
            (["general.architecture": .string("gemma")], "gemma"),
            (["general.name": .string("none")], "general.architecture"),
        ] as [([String: GGUFValue], String)] {
            try GGUFWriter.write(
                [GGUFWriter.Entry(name: "a.weight", shape: [2], type: .f32)], metadata: metadata,
                to: path
            ) { _ in [1, 2] }
            let run = try Program.run("inspect", path)
            #expect(run.status == 0 && run.output.contains("a.weight"))
            #expect(run.errors.contains(part), "\(run.errors)")
            #expect(try Program.run("bench", path).errors.contains(part))
        }
    }

    @Test("weights in a folder of a sentence-transformers directory are found")
    func folder() throws {
        let model = scratch.path("st")
        try FileManager.default.createDirectory(
            atPath: model, withIntermediateDirectories: false)
        try FileManager.default.copyItem(atPath: Fixture.bert, toPath: model + "/0_Transformer")
        let type = "sentence_transformers.models.Transformer"
        try "[{\"idx\": 0, \"path\": \"0_Transformer\", \"type\": \"\(type)\"}]".write(
            toFile: model + "/modules.json", atomically: true, encoding: .utf8)
        let run = try Program.run("inspect", model)
        #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
        #expect(run.output == (try Program.run("inspect", Fixture.bert).output))
        #expect(
            try Program.run(
                "export", model, "--format", "huggingface", "-o", scratch.path("exported")
            ).status == 0)
        #expect(
            FileManager.default.fileExists(atPath: scratch.path("exported/tokenizer.json")))
    }

    @Test("a hub model with a single GGUF file is found, and one of several must be named")
    func hub() throws {
        let snapshot = scratch.path("hub/models--someone--tiny/snapshots/aaa")
        try FileManager.default.createDirectory(
            atPath: snapshot, withIntermediateDirectories: true)
        let environment = ["HF_HUB_CACHE": scratch.path("hub"), "HF_HUB_OFFLINE": "1"]
        func inspect() throws -> Program.Outcome {
            try Program.run("inspect", "someone/tiny", environment: environment)
        }
        try FileManager.default.copyItem(atPath: Fixture.gguf, toPath: snapshot + "/a.gguf")
        #expect(try inspect().output.contains("llama"))
        try FileManager.default.copyItem(atPath: Fixture.gguf, toPath: snapshot + "/b.gguf")
        let several = try inspect()
        #expect(several.status == 1 && several.errors.contains(snapshot + "/b.gguf"))
    }

    @Test("a distinct output head is exported, and tie_word_embeddings: true is corrected")
    func distinctHead() throws {
        let model = try copy(Fixture.folder + "/tiny-llama3", ["tie_word_embeddings": true])
        let exported = scratch.path("exported")
        let run = try Program.run(
            "export", model, "--format", "huggingface", "-o", exported)
        #expect(run.status == 0, "\(run.errors)")
        let config = try HuggingFaceConfig(path: exported)
        #expect(!config.tiesWordEmbeddings)
        #expect(
            try openTensorFile(exported).floats("lm_head.weight")
                == openTensorFile(model).floats("lm_head.weight"))
    }
}
