import Foundation
import Pipeline
import Testing

@Suite("Finding models")
struct ModelLocationTests {
    @Test("a hub id is found in the local cache; refs/main chooses among several snapshots")
    func cached() throws {
        let scratch = try Scratch()
        let home = scratch.path("hub/models--someone--tiny")
        let files = FileManager.default
        for folder in ["snapshots", "refs"] {
            try files.createDirectory(
                atPath: home + "/" + folder, withIntermediateDirectories: true)
        }
        for revision in ["aaa", "bbb"] {
            try files.copyItem(atPath: Tiny.bert, toPath: home + "/snapshots/\(revision)")
        }
        try "bbb\n".write(toFile: home + "/refs/main", atomically: true, encoding: .utf8)
        let location = try ModelLocation("someone/tiny", environment: ["HF_HOME": scratch.path()])
        #expect(location.path == home + "/snapshots/bbb" && location.name == "tiny")
    }

    @Test("the name of a model is the last part of its path without .gguf")
    func path() throws {
        #expect(try ModelLocation(Tiny.gguf).name == "tiny-llama")
        #expect(try ModelLocation(Tiny.llama + "/../tiny-llama").name == "tiny-llama")
    }
}
