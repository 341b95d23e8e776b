import Foundation
import Profiling
import Testing
import Transformers

@Suite("Other runtimes", .serialized)
struct RuntimeTests {
    /// Returns a command that reports one nanosecond for each byte of a model's weights.
    private func weighing(in scratch: Scratch) throws -> String {
        let path = scratch.path("weigh")
        let script = """
            #!/bin/sh
            [ "$ESPALIER_PHASE" = prefill ] && [ -s "$1/model.onnx" ] && [ -s "$1/config.json" ] || exit 3
            wc -c < "$1/model.safetensors" | awk '{ print "it took"; print $1 / 1e9 }'
            """
        try script.write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        return "command:" + path
    }

    private let environment = ["--phase", "prefill", "--sequence", "16", "--threads", "1"]

    @Test("the profile and the prune use the times of a command")
    func command() throws {
        let scratch = try Scratch()
        let runtime = ["--runtime", try weighing(in: scratch)]
        let profile = scratch.path("p.json")
        let run = try Program.run(
            ["profile", Fixture.llama, "-o", profile, "--seconds", "2", "--verify", "--plans", "6"]
                + environment + runtime)
        #expect(run.status == 0, "\(run.errors)")
        let table = try LatencyTable(contentsOf: profile)
        let bytes = Double(4 * table.shape.parameters)
        #expect(abs(table.dense.seconds * 1e9 / bytes - 1) < 0.02)
        #expect(table.environment.runtime == runtime[1])
        #expect(try #require(table.verification).worstError < 0.02)

        let out = scratch.path("out")
        let prune = try Program.run(
            [
                "prune", Fixture.llama, "--speedup", "1.3", "--profile", profile, "-o", out,
                "--calibration", Fixture.folder + "/text/calibration.txt", "--seconds", "1",
            ] + environment + runtime)
        #expect(prune.status == 0, "\(prune.errors)")
        #expect(!FileManager.default.fileExists(atPath: out + "/work/runtime.tmp"))
        let answer = try Program.run(
            ["bench", out + "/1.3x", "--against", Fixture.llama, "--seconds", "1", "--json"]
                + environment + runtime
        ).object()
        #expect(try #require(answer["speedup"] as? Double) >= 1.3)
    }

    @Test(
        "a command gets random weights with the biases and head norms of the family",
        arguments: ["tiny-qwen2", "tiny-qwen3"])
    func family(name: String) throws {
        let scratch = try Scratch()
        let profile = scratch.path("p.json")
        let run = try Program.run(
            ["profile", Fixture.folder + "/" + name, "-o", profile, "--seconds", "1"]
                + environment + ["--runtime", try weighing(in: scratch)])
        #expect(run.status == 0, "\(run.errors)")
        let shape = try LatencyTable(contentsOf: profile).shape
        #expect(try shape == ModelShape(contentsOf: Fixture.folder + "/\(name)/config.json"))
        #expect(shape.optionalWeights != nil)
    }

    @Test("the error for a runtime that fails names it and a remedy")
    func faults() throws {
        func fault(_ runtime: String, python: String = "python3") throws -> String {
            let run = try Program.run(
                ["bench", Fixture.llama, "--seconds", "1", "--runtime", runtime] + environment,
                environment: ["ESPALIER_PYTHON": python])
            #expect(run.status == 1 && run.output.isEmpty, "\(run.errors)")
            return run.errors
        }
        #expect(try fault("command:exit 5 #").contains("status 5"))
        #expect(try fault("command:echo soon #").contains("'soon'"))
        #expect(try fault("command:echo -1 #").contains("no number of seconds"))
        #expect(try fault("command: ").contains("--runtime espalier"))
        #expect(try fault("onnxruntime", python: "/no/python").contains("pip install onnxruntime"))
        #expect(try fault("onnxruntime", python: "false").contains("ESPALIER_PYTHON"))
        for flag in ["--limits", "--serve"] {
            let run = try Program.run(
                ["bench", Fixture.llama, "--runtime", "command:true", flag] + environment)
            #expect(run.status == 2, "\(run.errors)")
        }
    }
}
