import Foundation
import ModelFiles
import Tensors
import TestSupport
import Testing
import Tokenizers
import Transformers

@testable import Evaluation

@Suite("Tasks of decoders")
struct DecoderTaskTests {
    private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "TransformersTests/Fixtures").path

    private func run(_ task: EvaluationTask, chat: ChatMarkup? = nil) throws -> TaskResult {
        let checkpoint = try Checkpoint(folder + "/tiny-llama")
        return try task.run(
            try Model(checkpoint), tokenizer: try checkpoint.tokenizer(),
            engine: Engine(threads: 2), chat: chat)
    }

    @Test("the first line gives the form of answers, and lines give subjects")
    func reads() throws {
        let head =
            #"{"preamble": "P ", "stops": ["\n"], "tokens": 9, "metric": "exact_match", "#
            + #""ignore": ["articles"], "chat": true}"#
        let lines = ["b", "a", "b"].map {
            #"{"question": "q", "answers": ["x"], "subject": "\#($0)"}"#
        }
        let all = try task([head] + lines, shots: 1)
        var form = AnswerForm(preamble: "P ", stops: ["\n"], tokens: 9, isExact: true)
        (form.ignoresArticles, form.isChat) = (true, true)
        #expect(all.form == form && all.needsChat && all.subjects == ["a", "b"])
        #expect(all.examples == "P Question: q\nAnswer: x\n\n")
        #expect(all.asking(all.items).form == form)
    }

    @Test("only an empty passage at the beginning of a prompt is removed with its line")
    func emptyPassages() throws {
        func prompt(_ head: String, _ query: String) throws -> TaskItem? {
            let line = #"{"query": "\#(query)", "support": "", "choices": ["a", "b"], "gold": 0}"#
            return try task([#"{"prompt": "\#(head)"}"#, line]).items.first
        }
        func item(_ prompt: String) -> TaskItem {
            .choice(prompt: prompt, choices: ["a", "b"], gold: 0)
        }
        #expect(try prompt(#"{support}\n{query}"#, "q") == item("q"))
        #expect(try prompt("{query}", #"\nq"#) == item("\nq"))
        #expect(try prompt(#"{query}\n{support}"#, #"\nq"#) == item("\nq\n"))
    }

    @Test(
        "the error for an invalid member names it",
        arguments: [
            (#"{"contexts": ["a"], "continuation": "x", "gold": 0}"#, "contexts"),
            (#"{"contexts": ["a", "b"], "continuation": "x", "gold": 2}"#, "gold"),
            (#"{"contexts": ["a", "b"], "continuation": "", "gold": 1}"#, "continuation"),
            (#"{"question": "a", "answer": ""}"#, "answer"), (#"{"page": ""}"#, "page"),
            (#"{"turns": []}"#, "turns"), (#"{"stops": [], "tokens": 1}"#, "stops"),
            (#"{"tokens": 0}"#, "tokens"), (#"{"metric": "bleu"}"#, "bleu"),
            (#"{"ignore": ["case"]}"#, "ignore"), (#"{"chat": 1}"#, "chat"),
            (#"{"prompt": "a", "instruction_id_list": ["startend:quotation"]}"#, "kwargs"),
            (#"{"prompt": "a", "instruction_id_list": ["x:y"], "kwargs": [{}]}"#, "x:y"),
            (
                #"{"prompt": "a", "instruction_id_list": ["keywords:existence"], "kwargs": [{}]}"#,
                "keywords"
            ),
            (
                #"{"prompt": "a", "instruction_id_list": ["length_constraints:number_words"], "#
                    + #""kwargs": [{"num_words": 2.5, "relation": "at least"}]}"#, "num_words"
            ),
            (
                #"{"prompt": "a", "instruction_id_list": ["length_constraints:number_words"], "#
                    + #""kwargs": [{"num_words": 2, "relation": "most"}]}"#, "relation"
            ),
            (
                #"{"prompt": "a", "instruction_id_list": "#
                    + #"["length_constraints:nth_paragraph_first_word"], "kwargs": "#
                    + #"[{"num_paragraphs": 2, "nth_paragraph": 0, "first_word": "a"}]}"#,
                "nth_paragraph"
            ),
        ])
    func refuses(line: String, member: String) {
        let error = #expect(throws: ModelFileError.self) { try task([line]) }
        #expect(error?.description.contains("line 1") == true)
        #expect(error?.description.contains("\"\(member)\"") == true, "\(error?.description ?? "")")
    }

    @Test(
        "a member of the first line that has no meaning for the items is refused",
        arguments: [
            (#""preamble": "a""#, #"{"good": "a", "bad": "b"}"#),
            (#""stops": ["a"]"#, #"{"turns": ["a"]}"#),
            (#""tokens": 2"#, #"{"query": "a", "choices": ["a", "b"], "gold": 0}"#),
            (#""chat": true"#, #"{"context": "a", "continuation": "b"}"#),
            (#""metric": "exact_match""#, #"{"document": "a", "summary": "b"}"#),
            (#""ignore": ["articles"]"#, #"{"question": "a", "answers": ["b"]}"#),
        ])
    func meaningless(member: String, item: String) {
        let error = #expect(throws: ModelFileError.self) { try task(["{\(member)}", item]) }
        let name = member.prefix { $0 != ":" }
        #expect(error?.problem.hasPrefix("\(name) has no meaning") == true)
    }

    @Test("with partial scoring the context decides how likely the same continuation is")
    func partialScoring() throws {
        let line = { (gold: Int) in
            #"{"contexts": ["Anna found", "zq zq"], "continuation": "a white drum", "#
                + #""gold": \#(gold)}"#
        }
        let result = try run(task([line(0), line(1)]))
        #expect(result.scores == [1, 0] && result.choices == [0, 0] && result.metric == "acc")
        let shot = try task([line(1), line(0)], shots: 1)
        #expect(shot.examples == "zq zq a white drum\n\n")
    }

    @Test("the choice of each item is returned, and the first choice wins a tie")
    func choices() throws {
        let tie = try run(task([#"{"good": "a", "bad": "a"}"#]))
        #expect(tie.choices == [0] && tie.value == 1)
        let labels = try run(
            task([
                #"{"labels": ["zq", "white drum"], "prompt": "{text}"}"#,
                #"{"text": "Anna found a", "label": 0}"#,
            ]))
        #expect(labels.choices == [1] && labels.scores == [0])
    }

    @Test("a delimiter precedes the sentences of a pair only if the task names it")
    func pairs() throws {
        func perplexity(_ head: String, _ good: String) throws -> [Int]? {
            try run(task([head, #"{"good": "\#(good)", "bad": "Anna found a white drum."}"#]))
                .choices
        }
        // With the space, both sentences are the same text.
        #expect(try perplexity(#"{"delimiter": " "}"#, "Anna found a white drum.") == [0])
        let spaced = try run(task([#"{"good": " Anna", "bad": "Anna"}"#])).choices
        let glued = try run(
            task([#"{"delimiter": ""}"#, #"{"good": " Anna", "bad": "Anna"}"#])
        ).choices
        #expect(spaced == glued)
    }

    @Test("a generated answer ends before a stop or after the maximum number of tokens")
    func stops() throws {
        func answer(_ head: String) throws -> String {
            let result = try run(
                task([head, #"{"question": "Anna found a", "answers": ["x"]}"#]))
            return try #require(result.answers?[0][0])
        }
        let long = try answer(#"{"prompt": "{question}", "stops": ["zqzq"], "tokens": 40}"#)
        let words = long.split(separator: " ")
        try #require(words.count > 4)
        let stop = String(words[3])
        let cut = try answer(
            #"{"prompt": "{question}", "stops": ["zqzq", "\#(stop)"], "tokens": 40}"#)
        #expect(cut == long.components(separatedBy: stop)[0] && !cut.isEmpty)
        let short = try answer(#"{"prompt": "{question}", "stops": ["zqzq"], "tokens": 3}"#)
        #expect(long.hasPrefix(short) && short.count < long.count)
    }

    @Test("the bits per byte of pages agree with the likelihood of their tokens")
    func pages() throws {
        let text = "Anna found a white drum in the garden. She took it to the park."
        let result = try run(
            task([#"{"page": "\#(text)"}"#, #"{"page": "Anna", "original": "\#(text)"}"#]))
        let checkpoint = try Checkpoint(folder + "/tiny-llama")
        let (model, tokenizer) = (try Model(checkpoint), try checkpoint.tokenizer())
        let nats = try [text, "Anna"].map { text in
            let whole = Continuation("", text, tokenizer: tokenizer, most: 256)
            return
                -(try Likelihood.all(
                    of: [whole], by: model, on: Engine(threads: 2)
                ) { _ in })[0].logarithm
        }
        let size = TextSize(text)
        #expect(result.metric == "bits_per_byte")
        for (score, nats) in zip(result.scores, nats) {
            #expect(abs(score - nats / Double(size.bytes) / log(2)) < 1e-4)
        }
        let total = nats.reduce(0, +)
        #expect(abs(result.value - total / Double(2 * size.bytes) / log(2)) < 1e-4)
        let perWord = try #require(result.others["word_perplexity"])
        #expect(abs(log(perWord) - total / Double(2 * size.words)) < 1e-4)
        let perByte = try #require(result.others["byte_perplexity"])
        #expect(abs(log(perByte) - total / Double(2 * size.bytes)) < 1e-4)
    }

    @Test("items of IFEval are scored strictly and loosely, and languages are left out")
    func instructions() throws {
        func line(_ names: [String], _ arguments: String) -> String {
            #"{"prompt": "Anna found a", "instruction_id_list": \#(names), "#
                + #""kwargs": [\#(arguments)], "key": 7}"#
        }
        let comma = "punctuation:no_comma"
        let result = try run(
            task([
                #"{"tokens": 20}"#, line([comma], "{}"),
                line(["language:response_language"], #"{"language": "de"}"#),
                line([comma, "detectable_format:json_format"], #"{"x": null}, {}"#),
            ]))
        let answer = try #require(result.answers?.first?.first)
        #expect(result.scores == [answer.contains(",") ? 0 : 1, 0])
        #expect(result.answers?.count == 2 && result.notes.first?.contains("1 item") == true)
        let (strict, loose) = (
            try #require(result.others["inst_level_strict_acc"]),
            try #require(result.others["inst_level_loose_acc"])
        )
        #expect(abs(strict - (answer.contains(",") ? 0 : 2.0 / 3)) < 1e-12 && loose >= strict)
    }

    @Test("calculations are asked with worked examples")
    func calculations() throws {
        let lines = [
            #"{"question": "1 + 1?", "answer": "It is 2.\n#### 2"}"#,
            #"{"question": "Anna found a", "answer": "5 it is.\n#### 5"}"#,
        ]
        let shot = try task(lines, shots: 1)
        #expect(shot.examples == "Question: 1 + 1?\nAnswer: It is 2.\n#### 2\n\n")
        let result = try run(shot)
        #expect(result.metric == "exact_match" && result.scores == [0])
        #expect(result.others["flexible"] != nil && result.answers?.count == 1)
    }

    @Test("a conversation contains the model's own earlier answers")
    func conversations() throws {
        var asked: [[ChatMessage]] = []
        let chat = ChatMarkup(ends: []) { messages in
            asked.append(messages)
            return messages.map { "\($0.role): \($0.content)\n" }.joined()
        }
        let result = try run(
            task([#"{"tokens": 5}"#, #"{"turns": ["Anna found a", "And then?"]}"#]), chat: chat)
        let answers = try #require(result.answers?.first)
        #expect(answers.count == 2 && result.value == 10)
        #expect(
            asked == [
                [ChatMessage(role: "user", content: "Anna found a")],
                [
                    ChatMessage(role: "user", content: "Anna found a"),
                    ChatMessage(role: "assistant", content: answers[0]),
                    ChatMessage(role: "user", content: "And then?"),
                ],
            ])
        #expect(result.notes.first?.contains("--judge") == true)
    }

    @Test("the scores of subjects are means over their items")
    func subjects() throws {
        func line(_ gold: Int, _ subject: String) -> String {
            #"{"query": "Anna found a", "choices": ["zq", "white drum"], "gold": \#(gold), "#
                + #""subject": "\#(subject)"}"#
        }
        let result = try run(task([line(1, "b"), line(0, "a"), line(0, "b")]))
        #expect(
            result.subjects == [
                TaskResult.Subject(name: "a", items: 1, value: 0),
                TaskResult.Subject(name: "b", items: 2, value: 0.5),
            ])
    }
}
