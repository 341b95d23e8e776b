import Foundation
import Tensors
import Testing
import Transformers

@Suite("The command evaluate")
struct EvaluateTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test("two decoders are compared by labels, summaries and generated texts")
    func decoder() throws {
        let labels = try scratch.file(
            "labels",
            #"{"name": "drums", "labels": ["zq", "white drum"], "prompt": "{text}"}"#,
            #"{"text": "Anna found a", "label": 1}"#)
        let summaries = try scratch.file(
            "summaries",
            #"{"name": "tales", "prompt": "{document}"}"#,
            #"{"document": "Anna found a white drum. She took it to", "summary": "the park"}"#)
        let words = [
            "evaluate", Fixture.llama, "--against", Fixture.llama, "--task", labels, "--task",
            summaries, "--text", Fixture.folder + "/text/held-out.txt", "--windows", "2",
            "--samples", "2",
        ]
        let answer = try Program.run(words + ["--json"]).object()
        let tasks = try #require(answer["tasks"] as? [String: [String: Any]])
        #expect(tasks["drums"]?["value"] as? Double == 1)
        #expect(tasks["drums"]?["flips"] as? Double == 0)
        #expect(tasks["tales"]?["metric"] as? String == "rougeL")
        #expect(try #require(tasks["tales"]?["perplexityOfAnswers"] as? Double) >= 1)
        let samples = try #require(answer["samples"] as? [[String: String]])
        #expect(samples.count == 2)
        #expect(samples.allSatisfy { $0["text"] == $0["other"] && $0["text"]?.isEmpty == false })
        let shown = try Program.run(words).output
        for wanted in ["drums", "mcc", "repetition", "perplexity of answers", "prompt: "] {
            #expect(shown.contains(wanted))
        }
    }

    @Test("an encoder that pools its first token is evaluated with this pooling")
    func pooled() throws {
        let model = scratch.path("cls")
        try FileManager.default.copyItem(atPath: Fixture.bert, toPath: model)
        let checkpoint = try Checkpoint(model)
        let tokenizer = try checkpoint.tokenizer()
        var pass = ForwardPass(try Model(checkpoint), on: Engine(threads: 1))
        let sentences = [
            "A dog runs.", "The sea is cold today.", "Anna found a drum.", "Tom has 12 cats.",
            "It snowed in the park.", "a", "Nobody had seen a horse with a hat before.",
        ]
        let first = sentences.map { text in
            let ids = tokenizer.encode(text, addingSpecialTokens: true)
            return Array(pass.hiddenStates(of: TokenBatch([ids])).row(0))
        }
        var lines: [String] = []
        for one in sentences.indices {
            for other in sentences.indices where other > one {
                let score = cosine(first[one], first[other])
                lines.append(
                    #"{"first": "\#(sentences[one])", "second": "\#(sentences[other])", "#
                        + #""score": \#(score)}"#)
            }
        }
        let task = try scratch.file("sts", lines.joined(separator: "\n"))
        func spearman() throws -> Double {
            let answer = try Program.run("evaluate", model, "--task", task, "--json").object()
            let tasks = try #require(answer["tasks"] as? [String: [String: Any]])
            return try #require(tasks["sts"]?["value"] as? Double)
        }
        #expect(try spearman() < 0.999)
        try FileManager.default.createDirectory(
            atPath: model + "/1_Pooling", withIntermediateDirectories: true)
        try #"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#.write(
            toFile: model + "/1_Pooling/config.json", atomically: true, encoding: .utf8)
        try #"""
        [{"path": "", "type": "sentence_transformers.models.Transformer"},
        {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]
        """#.write(toFile: model + "/modules.json", atomically: true, encoding: .utf8)
        #expect(try spearman() > 0.999_999)
    }

    @Test("texts of an encoder are cut to max_seq_length, and a wrong number gives an error")
    func cut() throws {
        let model = scratch.path("short")
        try FileManager.default.copyItem(atPath: Fixture.bert, toPath: model)
        let start = "Anna found a white drum in the park today and took it to"
        let task = try scratch.file(
            "sts", #"{"first": "\#(start) Tom.", "second": "\#(start) the sea.", "score": 1}"#,
            #"{"first": "A dog runs.", "second": "It snowed.", "score": 0}"#)
        func similarities() throws -> [Double] {
            let answer = try Program.run("evaluate", model, "--task", task, "--json").object()
            let tasks = try #require(answer["tasks"] as? [String: [String: Any]])
            return try #require(tasks["sts"]?["similarities"] as? [Double])
        }
        let whole = try similarities()
        #expect(whole[0] < 0.999_999)
        func state(_ value: String) throws {
            try "{\"max_seq_length\": \(value)}".write(
                toFile: model + "/sentence_bert_config.json", atomically: true, encoding: .utf8)
        }
        try state("8")
        let short = try similarities()
        #expect(short[0] > 0.999_999_9 && short[1] < 0.999_999)
        try state("64")
        #expect(try similarities() == whole)
        try state("0")
        for words in [["evaluate", model, "--task", task], ["inspect", model]] {
            let refused = try Program.run(words)
            #expect(refused.errors.contains("sentence_bert_config.json"), "\(refused.errors)")
            #expect(refused.errors.contains("max_seq_length"))
        }
        #expect(try Program.run("evaluate", model, "--task", task).status == 1)
    }

    @Test("the text of records is evaluated, and a model or too little text gives an error")
    func texts() throws {
        let text = Fixture.folder + "/text/held-out.txt"
        let lines = try String(contentsOfFile: text, encoding: .utf8).split(separator: "\n")
        let records = scratch.path("a.JSONL")
        try
            ("\u{feff}"
            + lines.map { #"{"text": "\#($0.replacing("\"", with: "\\\""))"}"# }
            .joined(separator: "\n")).write(toFile: records, atomically: true, encoding: .utf8)
        let plain = scratch.path("a.txt")
        try lines.map { $0 + "\n" }.joined().write(
            toFile: plain, atomically: true, encoding: .utf8)
        let answers = try [records, plain].map {
            try Program.run("evaluate", Fixture.llama, "--text", $0, "--json").output
        }
        #expect(answers[0] == answers[1] && answers[0].contains("perplexity"))
        let model = try Program.run("evaluate", Fixture.llama, "--text", Fixture.gguf)
        #expect(model.status == 1 && model.errors.contains("a GGUF model, not text"))
        try "Anna found a drum.".write(toFile: plain, atomically: true, encoding: .utf8)
        for words in [[Fixture.llama], [Fixture.bert, "--against", Fixture.bert]] {
            let few = try Program.run(["evaluate"] + words + ["--text", plain])
            #expect(few.status == 1 && few.errors.contains("too little text"), "\(few.errors)")
        }
    }

    @Test(
        "a task that the model cannot run gives an error with a remedy",
        arguments: [
            (Fixture.llama, #"{"text": "x", "label": 0}"#, "labels"),
            (Fixture.llama, #"{"first": "x", "second": "y", "score": 1}"#, "encoder"),
            (Fixture.llama, #"{"query": "x", "choices": "a", "gold": 0}"#, "two or more"),
            (Fixture.bert, #"{"text": "x", "label": 0}"#, "sequence classification"),
            (Fixture.bert, #"{"document": "x", "summary": "y"}"#, "texts with labels, pairs"),
        ])
    func refused(model: String, line: String, remedy: String) throws {
        let result = try Program.run("evaluate", model, "--task", scratch.file("task", line))
        #expect(result.status == 1 && result.errors.contains(remedy), "\(result.errors)")
    }
}
