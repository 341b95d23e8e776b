import Foundation
import ModelFiles
import Testing

@Suite("Inspecting and finding models")
struct InspectTests {
    @Test(
        "inspect prints the sizes of a model",
        arguments: [(Fixture.llama, "llama"), (Fixture.gguf, "llama"), (Fixture.bert, "bert")])
    func model(path: String, architecture: String) throws {
        let answer = try Program.run("inspect", path, "--json").object()
        #expect(answer["architecture"] as? String == architecture)
        #expect(answer["parameters"] as? Int == (try weights(in: path)))
        let layers = try #require(answer["layers"] as? [[String: Int]])
        #expect(layers.count == (architecture == "bert" ? 3 : 4))
        let first =
            architecture == "bert"
            ? ["queryHeads": 4, "keyValueHeads": 4, "feedForward": 80]
            : ["queryHeads": 4, "keyValueHeads": 2, "feedForward": 96]
        #expect(layers.allSatisfy { $0 == first })
        let text = try Program.run("inspect", path).output
        #expect(text.contains(architecture == "bert" ? "0–2" : "0–3"))
    }

    /// Returns the number of elements of a model's file without the pooler, which is not in the
    /// shape.
    private func weights(in path: String) throws -> Int {
        let file = try openTensorFile(path)
        return file.names.filter { !$0.hasPrefix("pooler") }.reduce(0) { sum, name in
            sum + (file.shape(of: name) ?? []).reduce(1, *)
        }
    }

    @Test("inspect lists the tensors of a file")
    func tensors() throws {
        let path = Fixture.bert + "/model.safetensors"
        let answer = try Program.run("inspect", path, "--json").object()
        let tensors = try #require(answer["tensors"] as? [[String: Any]])
        let query = tensors.first {
            $0["name"] as? String == "encoder.layer.0.attention.self.query.weight"
        }
        #expect(query?["shape"] as? [Int] == [48, 48])
        #expect(query?["type"] as? String == "f16")
        #expect(try Program.run("inspect", path).output.contains("48 × 48"))
    }

    @Test("a hub id is found in the local cache; refs/main chooses among several snapshots")
    func hub() throws {
        let scratch = try Scratch()
        let home = scratch.path("hub/models--someone--tiny")
        func add(_ revision: String) throws {
            try FileManager.default.createDirectory(
                atPath: home + "/snapshots", withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                atPath: Fixture.bert, toPath: home + "/snapshots/\(revision)")
        }
        let environment = [
            "HF_HOME": scratch.path(), "HF_HUB_CACHE": scratch.path("hub"), "HF_HUB_OFFLINE": "1",
        ]
        func inspect() throws -> Program.Outcome {
            try Program.run("inspect", "someone/tiny", environment: environment)
        }
        #expect(try inspect().errors.contains("hub cache"))
        try add("aaa")
        #expect(try inspect().status == 0)
        try add("bbb")
        #expect(try inspect().errors.contains("2 revisions"))
        try FileManager.default.createDirectory(
            atPath: home + "/refs", withIntermediateDirectories: true)
        try "bbb\n".write(toFile: home + "/refs/main", atomically: true, encoding: .utf8)
        #expect(try inspect().status == 0)
    }
}
