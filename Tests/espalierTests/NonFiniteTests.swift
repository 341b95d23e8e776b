import Foundation
import ModelFiles
import Tensors
import Testing

/// Copies of the tiny Llama with changed weights.
enum DamagedLlama {
    /// Returns a copy in which one element or all elements of a tensor are changed.
    static func model(
        _ tensor: String, _ value: Float, everywhere: Bool = false, in scratch: Scratch
    ) throws -> String {
        let path = scratch.path("damaged")
        try? FileManager.default.removeItem(atPath: path)
        try FileManager.default.copyItem(atPath: Fixture.llama, toPath: path)
        let file = try SafetensorsFile(path: Fixture.llama)
        let entries = file.names.map {
            SafetensorsWriter.Entry(name: $0, shape: file.shape(of: $0) ?? [])
        }
        var changed = Data(try Data(contentsOf: URL(fileURLWithPath: path + "/model.safetensors")))
        try SafetensorsWriter.write(entries, to: path + "/model.safetensors") {
            try file.floats($0.name)
        }
        changed = try Data(contentsOf: URL(fileURLWithPath: path + "/model.safetensors"))
        let written = try SafetensorsFile(path: path)
        let bytes = try written.place(of: tensor).bytes
        let pattern = withUnsafeBytes(of: value) { Array($0) }
        let last = everywhere ? bytes.upperBound : bytes.lowerBound + 8
        for start in stride(from: everywhere ? bytes.lowerBound : last - 4, to: last, by: 4) {
            changed.replaceSubrange(start..<start + 4, with: pattern)
        }
        try changed.write(to: URL(fileURLWithPath: path + "/model.safetensors"))
        return path
    }

    /// Returns a copy with finite weights whose logits overflow.
    static func overflowing(in scratch: Scratch) throws -> String {
        try model("model.norm.weight", 3e38, everywhere: true, in: scratch)
    }
}

@Suite("NaN and infinity")
struct NonFiniteTests {
    private let scratch: Scratch
    private static let text = Fixture.folder + "/text/held-out.txt"

    init() throws {
        scratch = try Scratch()
    }

    /// Commands that compute with a model's weights.
    ///
    /// The model is inserted after the name of the command.
    private static let commands = [
        ["evaluate", "--text", text, "--json"], ["generate", "--prompt", "Anna"], ["bench"],
        ["sparsity", "study", "--text", text],
        ["layerdrop", "--keep", "2", "--strategy", "search", "--text", text],
        ["prune"],
        ["finetune", "--text", text, "--steps", "2"],
        ["distill", "--teacher", Fixture.llama, "--text", text, "--steps", "2"],
        ["sparsify", "--sequence", "16", "--text", text], ["export", "--format", "gguf"],
    ]

    private func run(_ command: [String], _ model: String) throws -> Program.Outcome {
        if command[0] == "prune" {
            let prune = try PruneFixture()
            return try Program.run(prune.words().map { $0 == Fixture.llama ? model : $0 })
        }
        let first = command[0] == "sparsity" ? 2 : 1
        let writes = ["prune", "finetune", "distill", "sparsify", "export", "layerdrop"].contains(
            command[0])
        return try Program.run(
            command.prefix(first) + [model] + command.dropFirst(first)
                + (writes ? ["-o", scratch.path("out")] : []))
    }

    @Test("NaN in a weight gives an error that names the tensor", arguments: commands)
    func weight(command: [String]) throws {
        let tensor = "model.layers.1.mlp.up_proj.weight"
        for value in [Float.nan, -.infinity] {
            let model = try DamagedLlama.model(tensor, value, in: scratch)
            let run = try run(command, model)
            #expect(run.status == 1 && run.output.isEmpty, "\(run.errors)")
            #expect(run.errors.contains("tensor \"\(tensor)\": element 1 is"), "\(run.errors)")
            #expect(!run.errors.contains("Profiling"))
        }
    }

    @Test("NaN in the output of a model gives an error", arguments: commands.dropLast())
    func overflow(command: [String]) throws {
        let run = try run(command, try DamagedLlama.overflowing(in: scratch))
        #expect(run.status == 1 && run.output.isEmpty, "\(run.errors)")
        #expect(run.errors.contains("NaN or infinity"), "\(run.errors)")
        #expect(!run.errors.contains("EncodingError"))
    }

    @Test("NaN in a GGUF file gives an error that names the tensor")
    func gguf() throws {
        var bytes = try Data(contentsOf: URL(fileURLWithPath: Fixture.gguf))
        let file = try GGUFFile(path: Fixture.gguf)
        let values = try file.floats("output_norm.weight")
        let wanted = values.withUnsafeBytes { Data($0) }
        let place = try #require(bytes.range(of: wanted))
        let nan = withUnsafeBytes(of: Float.nan) { Data($0) }
        bytes.replaceSubrange(place.lowerBound..<place.lowerBound + 4, with: nan)
        let path = scratch.path("damaged.gguf")
        try bytes.write(to: URL(fileURLWithPath: path))
        let run = try Program.run("generate", path, "--prompt", "a")
        #expect(run.status == 1 && run.errors.contains("\"output_norm.weight\": element 0 is nan"))
    }

    @Test("a weight that f16 cannot represent gives an error with f16")
    func precision() throws {
        let model = try DamagedLlama.model(
            "model.layers.0.self_attn.v_proj.weight", 2000, in: scratch)
        func run(_ precision: String) throws -> Program.Outcome {
            try Program.run(
                "generate", model, "--prompt", "a", "-n", "2", "--precision", precision)
        }
        let halves = try run("f16")
        #expect(halves.status == 1)
        #expect(halves.errors.contains("the value projection of layer 0 has 2000.0"))
        #expect(try run("bf16").status == 0)
        #expect(try run("f32").status == 0)
    }

    @Test("a profile with numbers whose ratios overflow gives an error that names the field")
    func profile() throws {
        let path = scratch.path("profile.json")
        let made = try Program.measure(
            ["profile", Fixture.llama, "--sequence", "16", "--threads", "1", "-o", path])
        #expect(made.status == 0, "\(made.errors)")
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let pattern = #""high" : [0-9.e-]+"#
        let place = try #require(text.range(of: pattern, options: .regularExpression))
        try text.replacingCharacters(in: place, with: #""high" : 1e308"#)
            .write(toFile: path, atomically: true, encoding: .utf8)
        let run = try Program.run("inspect", path, "--json")
        #expect(run.status == 1 && run.errors.contains("base.high: is 1e+308"), "\(run.errors)")
    }
}
