import Foundation
import Testing

/// Tasks that compare the vectors of an encoder, run through the command on the tiny BERT.
///
/// Equal texts have equal vectors, so the value of a task whose answers are equal texts is known.
@Suite("Tasks of vectors of the command evaluate")
struct EvaluateVectorsTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let texts = [
        "A dog runs.", "It snowed in the park.", "Tom has 12 cats.", "Anna found a white drum.",
    ]

    /// Returns a line of JSON.
    private func line(_ members: [String: Any]) throws -> String {
        let data = try JSONSerialization.data(withJSONObject: members, options: .sortedKeys)
        return String(decoding: data, as: UTF8.self)
    }

    /// Writes a file below the directory of the test, and returns its path.
    private func write(_ name: String, _ lines: [String]) throws -> String {
        let path = scratch.path(name)
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    /// Runs a task with both forms of output, and returns its answer in JSON.
    private func answer(_ path: String, prints metrics: [String]) throws -> [String: Any] {
        let words = ["evaluate", Fixture.bert, "--task", path]
        let shown = try Program.run(words)
        #expect(shown.status == 0, "\(shown.errors)")
        for metric in metrics { #expect(shown.output.contains(metric), "\(metric)") }
        let tasks = try #require(
            try Program.run(words + ["--json"]).object()["tasks"] as? [String: [String: Any]])
        let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
        let found = try #require(tasks[name])
        #expect(found["metric"] as? String == metrics[0])
        let others = try #require(found["others"] as? [String: Double])
        #expect(Set(others.keys) == Set(metrics.dropFirst()))
        return found
    }

    private func value(_ path: String, prints metrics: [String]) throws -> Double {
        try #require(try answer(path, prints: metrics)["value"] as? Double)
    }

    /// Expects one error, which names a file and a field.
    private func expectRefused(_ task: String, naming parts: String...) throws {
        let refused = try Program.run("evaluate", Fixture.bert, "--task", task)
        #expect(refused.status == 1 && refused.output.isEmpty)
        let name = "espalier evaluate: "
        let errors = refused.errors.split(separator: "\n").filter { $0.hasPrefix(name) }
        #expect(errors.count == 1, "\(refused.errors)")
        for part in parts { #expect(refused.errors.contains(part), "\(part): \(refused.errors)") }
    }

    private static let retrieval = [
        "ndcg_at_10", "map_at_10", "mrr_at_10", "recall_at_10", "recall_at_100",
    ]

    @Test("retrieval from a file of pairs")
    func retrieval() throws {
        func pairs(_ name: String, shifted shift: Int) throws -> String {
            try write(
                name,
                Self.texts.indices.map {
                    try line([
                        "query": Self.texts[$0],
                        "passage": Self.texts[($0 + shift) % Self.texts.count],
                    ])
                })
        }
        #expect(try value(pairs("same.jsonl", shifted: 0), prints: Self.retrieval) == 1)
        // The passage of each query is at best the second.
        let other = try value(pairs("shifted.jsonl", shifted: 1), prints: Self.retrieval)
        #expect(other > 0 && other < 0.64)
        let bad = try write("bad.jsonl", [line(["query": "a", "passage": 3])])
        try expectRefused(bad, naming: "bad.jsonl, line 1", "\"passage\" is not a string")
    }

    @Test("retrieval from a folder of BEIR")
    func folder() throws {
        func folder(_ name: String, score: String = "1") throws -> String {
            let ids = Self.texts.indices
            _ = try write(
                name + "/corpus.jsonl",
                ids.map { try line(["_id": "p\($0)", "title": "", "text": Self.texts[$0]]) })
            _ = try write(
                name + "/queries.jsonl",
                ids.map { try line(["_id": "q\($0)", "text": Self.texts[$0]]) })
            _ = try write(
                name + "/qrels/test.tsv",
                ["query-id\tcorpus-id\tscore"] + ids.prefix(2).map { "q\($0)\tp\($0)\t\(score)" })
            return scratch.path(name)
        }
        let found = try answer(folder("beir"), prints: Self.retrieval)
        #expect(found["value"] as? Double == 1 && found["items"] as? Int == 2)
        let bad = try folder("bad", score: "high")
        try expectRefused(bad, naming: "bad/qrels/test.tsv, line 2", "\"score\"")
        try FileManager.default.removeItem(atPath: bad + "/queries.jsonl")
        try expectRefused(bad, naming: "bad/queries.jsonl", "missing")
    }

    @Test("reranking")
    func reranking() throws {
        func ranking(_ name: String, positive: Int, negative: Int) throws -> String {
            try write(
                name + ".jsonl",
                [
                    line([
                        "query": Self.texts[0], "positive": [Self.texts[positive]],
                        "negative": [Self.texts[negative], Self.texts[3]],
                    ])
                ])
        }
        #expect(try value(ranking("good", positive: 0, negative: 1), prints: ["map", "mrr"]) == 1)
        #expect(
            try value(ranking("worse", positive: 1, negative: 0), prints: ["map", "mrr"]) <= 0.5)
        let bad = try write("bad.jsonl", [line(["query": "a", "positive": ["b"]])])
        try expectRefused(bad, naming: "bad.jsonl, line 1", "\"negative\"")
    }

    @Test("clustering")
    func clustering() throws {
        func clusters(_ name: String, _ names: [String]) throws -> String {
            try write(
                name + ".jsonl",
                names.enumerated().map {
                    try line(["text": Self.texts[$0.offset % 2], "cluster": $0.element])
                })
        }
        let metrics = ["v_measure", "v_measure_min", "v_measure_max"]
        let good = try answer(clusters("good", ["x", "y", "x", "y", "x", "y"]), prints: metrics)
        #expect(abs(try #require(good["value"] as? Double) - 1) < 1e-9)
        #expect((good["predictions"] as? [[Int]])?.allSatisfy { $0.count == 6 } == true)
        let mixed = try value(
            clusters("mixed", ["x", "x", "y", "y", "x", "x", "y", "y"]), prints: metrics)
        #expect(mixed < 0.5)
        let bad = try write(
            "bad.jsonl", [line(["text": "a", "cluster": "x"]), line(["text": 1, "cluster": "y"])])
        try expectRefused(bad, naming: "bad.jsonl, line 2", "\"text\" is not a string")
    }

    @Test("few-shot classification")
    func fewShot() throws {
        func labelled(_ name: String, first: [String], _ labels: [Int]) throws -> String {
            try write(
                name + ".jsonl",
                first
                    + labels.enumerated().map {
                        try line(["text": Self.texts[$0.offset % 2], "label": $0.element])
                    })
        }
        _ = try labelled("train", first: [], [0, 1, 0, 1])
        let options = try line(["train": "train.jsonl", "samples": 2, "draws": 3])
        let metrics = ["accuracy", "f1"]
        let good = try answer(labelled("good", first: [options], [0, 1]), prints: metrics)
        #expect(good["value"] as? Double == 1 && (good["draws"] as? [[Int]])?.count == 3)
        #expect(good["predictions"] as? [[Int]] == [[0, 1], [0, 1], [0, 1]])
        #expect(try value(labelled("wrong", first: [options], [1, 0]), prints: metrics) == 0)
        let bad = try labelled("bad", first: [try line(["train": "bad-train.jsonl"])], [0, 1])
        _ = try write("bad-train.jsonl", [line(["text": "a", "label": "x"])])
        try expectRefused(bad, naming: "bad-train.jsonl, line 1", "\"label\"")
        let draws = try labelled(
            "draws", first: [try line(["train": "train.jsonl", "draws": 0])], [0, 1])
        try expectRefused(draws, naming: "draws.jsonl, line 1", "\"draws\"")
    }

    @Test("pair classification")
    func pairs() throws {
        func pairs(_ name: String, same: Int) throws -> String {
            try write(
                name + ".jsonl",
                [(0, 0, same), (1, 1, same), (0, 2, 1 - same), (1, 3, 1 - same)].map {
                    try line([
                        "first": Self.texts[$0.0], "second": Self.texts[$0.1], "match": $0.2,
                    ])
                })
        }
        let good = try answer(pairs("good", same: 1), prints: ["cosine_ap"])
        #expect(good["value"] as? Double == 1)
        #expect((good["similarities"] as? [Double])?.count == 4)
        #expect(try value(pairs("opposite", same: 0), prints: ["cosine_ap"]) < 0.6)
        let bad = try write("bad.jsonl", [line(["first": "a", "second": "b", "match": 2])])
        try expectRefused(bad, naming: "bad.jsonl, line 1", "\"match\" is neither 0 nor 1")
    }

    @Test("a decoder refuses every kind, and names the kind")
    func decoder() throws {
        let task = try write(
            "pairs.jsonl",
            [
                line(["first": "a", "second": "b", "match": 1]),
                line(["first": "a", "second": "c", "match": 0]),
            ])
        let refused = try Program.run("evaluate", Fixture.llama, "--task", task)
        #expect(refused.status == 1)
        #expect(refused.errors.contains("a decoder cannot run a pair classification task"))
    }
}
