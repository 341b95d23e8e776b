import Foundation
import Testing

/// The model hub, simulated by `hub-server`.
private final class Hub {
    private let process = Process()
    private let input = Pipe()
    let endpoint: String

    init(_ folder: String, _ modes: [String]) throws {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("HubServer/hub-server").path
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", script, folder] + modes
        (process.standardInput, process.standardOutput) = (input, output)
        try process.run()
        let port = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        endpoint = "http://127.0.0.1:" + port.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    deinit {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}

@Suite("The model hub")
struct HubTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func inspect(
        _ hub: Hub, _ more: [String: String] = [:], id: String = "someone/tiny"
    ) throws -> Program.Outcome {
        let environment = [
            "HF_ENDPOINT": hub.endpoint, "HF_HOME": scratch.path("home"), "no_proxy": "127.0.0.1",
            "HF_TOKEN": "",
        ]
        return try Program.run(
            "inspect", id, environment: environment.merging(more) { $1 },
            in: scratch.path())
    }

    private var model: String { scratch.path("home/hub/models--someone--tiny") }

    @Test("a model is downloaded once, into the layout of the hub's cache")
    func fetches() throws {
        let first = try inspect(Hub(Fixture.llama, []))
        #expect(first.status == 0, "\(first.errors)")
        #expect(first.output.contains("llama"))
        let snapshot = model + "/snapshots/c0ffee"
        for name in ["config.json", "model.safetensors", "tokenizer.json"] {
            #expect(
                FileManager.default.contents(atPath: snapshot + "/" + name)
                    == FileManager.default.contents(atPath: Fixture.llama + "/" + name))
            let link = try FileManager.default.destinationOfSymbolicLink(
                atPath: snapshot + "/" + name)
            #expect(link.hasPrefix("../../blobs/"))
        }
        #expect(!FileManager.default.fileExists(atPath: snapshot + "/README.md"))
        #expect(try String(contentsOfFile: model + "/refs/main", encoding: .utf8) == "c0ffee")
        let again = try Program.run(
            "inspect", "someone/tiny",
            environment: ["HF_HOME": scratch.path("home"), "HF_HUB_OFFLINE": "1"])
        #expect(again.status == 0 && again.output == first.output)
    }

    @Test("a partial download of another tool is completed, and its files are kept")
    func completes() throws {
        let snapshot = model + "/snapshots/c0ffee"
        try FileManager.default.createDirectory(
            atPath: snapshot, withIntermediateDirectories: true)
        for name in ["config.json", "notes.txt"] {
            try FileManager.default.copyItem(
                atPath: Fixture.llama + "/config.json", toPath: snapshot + "/" + name)
        }
        let run = try inspect(Hub(Fixture.llama, []))
        #expect(run.status == 0 && run.output.contains("llama"), "\(run.errors)")
        for name in ["model.safetensors", "notes.txt"] {
            #expect(FileManager.default.fileExists(atPath: snapshot + "/" + name))
        }
    }

    @Test("an interrupted download resumes at the next attempt, with and without server support")
    func resumes() throws {
        let hub = try Hub(Fixture.llama, ["slow"])
        var tries = 0
        repeat {
            let run = try inspect(hub)
            tries += 1
            if run.status == 0 { break }
            #expect(run.errors.contains("goes on from here"), "\(run.errors)")
            #expect(!FileManager.default.fileExists(atPath: model + "/snapshots/c0ffee"))
        } while tries < 200
        #expect(tries > 2 && tries < 200)
        try FileManager.default.removeItem(atPath: scratch.path("home"))
        #expect(try inspect(hub).status == 1)
        let whole = try inspect(Hub(Fixture.llama, ["whole"]))
        #expect(whole.status == 0, "\(whole.errors)")
    }

    @Test("a token is requested and sent, and never printed")
    func token() throws {
        let hub = try Hub(Fixture.llama, ["token"])
        let refused = try inspect(hub)
        #expect(refused.status == 1 && refused.errors.contains("HF_TOKEN"), "\(refused.errors)")
        #expect(try inspect(hub, ["HF_TOKEN": "secret"]).status == 0)
        try FileManager.default.removeItem(atPath: model)
        try "secret\n".write(
            toFile: scratch.path("home/token"), atomically: true, encoding: .utf8)
        #expect(try inspect(hub).status == 0)
    }

    @Test("a file that differs from the hub's description gives an error and is not kept")
    func spoiled() throws {
        let run = try inspect(Hub(Fixture.llama, ["spoiled"]))
        #expect(run.status == 1 && run.errors.contains("not what the hub describes"))
        let left = try FileManager.default.contentsOfDirectory(atPath: model + "/blobs")
        #expect(left.allSatisfy { !$0.hasSuffix(".incomplete") })
        #expect(!FileManager.default.fileExists(atPath: model + "/snapshots/c0ffee"))
    }

    @Test("the error for a repository without safetensors lists its files and a remedy")
    func unsuitable() throws {
        for (name, part) in [
            ("tiny.Q8_0.gguf", "hf download someone/tiny tiny.Q8_0.gguf"),
            ("pytorch_model.bin", "save_pretrained"), ("model.onnx", "name another model"),
        ] {
            let folder = scratch.path("served-" + name)
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
            try "x".write(toFile: folder + "/" + name, atomically: true, encoding: .utf8)
            let run = try inspect(Hub(folder, []))
            #expect(run.status == 1 && run.errors.contains(part), "\(run.errors)")
        }
    }

    @Test("errors give a remedy")
    func errors() throws {
        let hub = try Hub(Fixture.llama, [])
        #expect(try inspect(hub, id: "someone/else").errors.contains("the hub has no such model"))
        #expect(try inspect(hub, ["HF_HUB_OFFLINE": "1"]).errors.contains("HF_HUB_OFFLINE"))
        #expect(try inspect(hub, id: "tiny").errors.contains("OWNER/NAME"))
        #expect(try inspect(hub, id: "home/tiny").status == 1)
        let gone = try inspect(hub, ["HF_ENDPOINT": "http://127.0.0.1:9"])
        #expect(gone.status == 1 && gone.errors.contains("HF_ENDPOINT"), "\(gone.errors)")
        let bare = try inspect(hub, ["PATH": scratch.path()])
        #expect(bare.status == 1 && bare.errors.contains("install curl"), "\(bare.errors)")
    }
}
