import Foundation
import ModelFiles
import Testing

@testable import Evaluation

@Suite("Files of tasks that compare vectors")
struct VectorTaskTests {
    private let folder = FileManager.default.temporaryDirectory.appending(
        path: UUID().uuidString)

    private func write(_ files: [String: String]) throws {
        for (name, text) in files {
            let file = folder.appending(path: name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
    }

    @Test("a folder of BEIR has passages by id, and only queries with judgements")
    func beir() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write([
            "corpus.jsonl": """
            {"_id": "b", "title": "Cats", "text": "They sleep."}
            {"_id": "a", "text": "Dogs run."}
            """,
            "queries.jsonl": """
            {"_id": "1", "text": "cats"}
            {"_id": "2", "text": "unjudged"}
            """,
            "qrels/test.tsv": "query-id\tcorpus-id\tscore\n1\tb\t2\n1\ta\t0\n",
        ])
        let task = try TaskFile.read(folder.path)
        #expect(task.kind == .retrieval)
        #expect(task.vectors.passages.map(\.text) == ["Dogs run.", "Cats They sleep."])
        #expect(task.items == [.search(query: "cats", id: "1", relevant: ["b": 2])])
    }

    @Test(
        "a file that cannot be scored gives an error",
        arguments: [
            (#"{"text": "a", "cluster": "x"}"# + "\n" + #"{"text": "b", "cluster": "x"}"#, "one"),
            (#"{"text": "a", "cluster": 1}"# + "\n" + #"{"text": "b", "cluster": 2}"#, "own"),
            (#"{"first": "a", "second": "b", "match": 1}"#, "1 of its 1 pairs"),
            (#"{"first": "a", "second": "b", "match": 2}"#, "neither 0 nor 1"),
            (#"{"query": "a", "passage": ""}"#, "empty"),
            (#"{"train": "t"}"# + "\n" + #"{"text": "b", "label": 1}"#, "itself"),
        ])
    func faults(text: String, problem: String) throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write(["t": text])
        let path = folder.appending(path: "t").path
        let error = #expect(throws: ModelFileError.self) { try TaskFile.read(path) }
        #expect(error?.description.contains(problem) == true)
    }

    @Test("files that name each other as training texts are read once")
    func circle() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        func text(_ other: String) -> String {
            #"{"train": "\#(other)"}"# + "\n" + #"{"text": "a", "label": 0}"# + "\n"
                + #"{"text": "b", "label": 1}"#
        }
        try write(["t": text("u"), "u": text("t")])
        let task = try TaskFile.read(folder.appending(path: "t").path)
        #expect(task.kind == .fewShot && task.vectors.training?.texts == ["a", "b"])
    }
}
