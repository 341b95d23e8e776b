import Foundation
import ModelFiles
import Tensors
import Testing
import Transformers

@Suite("Exporting rounded weights through the command")
struct ExportTests {
    private let scratch: Scratch
    private static let text = Fixture.folder + "/text/calibration.txt"

    init() throws { scratch = try Scratch() }

    private func export(_ name: String, _ words: String...) throws -> String {
        let path = scratch.path(name + ".gguf")
        let run = try Program.run(
            ["export", Fixture.llama, "--format", "gguf", "-o", path] + words)
        #expect(run.status == 0, "\(run.errors)")
        return path
    }

    /// A calibration on the whole text with one thread.
    private func calibrated(_ name: String, type: String = "q4_0") throws -> String {
        try export(
            name, "--type", type, "--calibration", Self.text, "--calibration-tokens", "4096",
            "--threads", "1")
    }

    private func bytes(_ path: String) throws -> Data {
        try Data(contentsOf: URL(fileURLWithPath: path))
    }

    @Test("calibrated weights are on the grid, and all other tensors are as without calibration")
    func tensors() throws {
        for (name, type) in [("q4_0", DType.q40), ("q8_0", .q80)] {
            let ours = try GGUFFile(path: calibrated("ours-" + name, type: name))
            let nearest = try GGUFFile(path: export("nearest-" + name, "--type", name))
            #expect(ours.names == nearest.names && ours.metadata == nearest.metadata)
            for tensor in ours.names {
                let isProjection = tensor.hasPrefix("blk.") && !tensor.contains("norm")
                #expect(ours.type(of: tensor) == nearest.type(of: tensor))
                #expect(
                    ours.type(of: tensor)
                        == (isProjection ? type : tensor.contains("norm") ? .f32 : .q80))
                let (found, other) = (try ours.floats(tensor), try nearest.floats(tensor))
                #expect((found == other) == !isProjection, "\(tensor)")
            }
        }
    }

    @Test("the file does not depend on the number of threads")
    func threads() throws {
        let one = try calibrated("one")
        let two = try export(
            "two", "--type", "q4_0", "--calibration", Self.text, "--calibration-tokens", "4096",
            "--threads", "2", "--rounding", "gptq")
        #expect(try bytes(one) == bytes(two))
    }

    @Test("without calibration, weights are rounded to nearest")
    func nearest() throws {
        let plain = try bytes(export("plain", "--type", "q4_0"))
        #expect(plain == (try bytes(export("nearest", "--type", "q4_0", "--rounding", "nearest"))))
    }

    @Test("calibrated weights predict held-out text more like the dense model")
    func quality() throws {
        func divergence(_ model: String) throws -> Double {
            let answer = try Program.run(
                "evaluate", model, "--against", Fixture.llama, "--text",
                Fixture.folder + "/text/held-out.txt", "--window", "128", "--threads", "1", "--json"
            ).object()
            return try #require(answer["kl"] as? Double)
        }
        let ours = try divergence(calibrated("ours"))
        #expect(ours < 0.8 * (try divergence(export("nearest", "--type", "q4_0"))))
    }

    @Test("options that contradict each other are refused")
    func usage() throws {
        for words in [
            ["--type", "q4_0", "--rounding", "gptq"],
            ["--type", "q4_0", "--rounding", "nearest", "--calibration", Self.text],
            ["--type", "bf16", "--calibration", Self.text],
            ["--type", "q4_0", "--calibration", Self.text, "--calibration-tokens", "1"],
        ] {
            let path = scratch.path("refused.gguf")
            let run = try Program.run(
                ["export", Fixture.llama, "--format", "gguf", "-o", path] + words)
            #expect(run.status == 2 && run.output.isEmpty, "\(words)")
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }

    @Test("a text that is too short leaves no file")
    func short() throws {
        let text = scratch.path("short.txt")
        try "Anna found a white drum.".write(toFile: text, atomically: true, encoding: .utf8)
        let path = scratch.path("short.gguf")
        let run = try Program.run(
            "export", Fixture.llama, "--format", "gguf", "--type", "q4_0", "--calibration", text,
            "-o", path)
        #expect(run.status == 1 && run.errors.contains(text) && run.errors.contains("too short"))
        #expect(!FileManager.default.fileExists(atPath: path))
    }
}
