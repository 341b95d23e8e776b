import Foundation
import ModelFiles
import Tensors
import TestSupport
import Testing
import Tokenizers
import Transformers

@testable import Evaluation

@Suite("Tasks")
struct TaskTests {
    private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "TransformersTests/Fixtures").path

    private func run(_ task: EvaluationTask, _ name: String = "tiny-llama") throws -> TaskResult {
        let checkpoint = try Checkpoint(folder + "/" + name)
        return try task.run(
            try Model(checkpoint), tokenizer: try checkpoint.tokenizer(), engine: Engine(threads: 2)
        )
    }

    @Test("lines are read by their members, prompts are filled in, and examples come first")
    func reads() throws {
        let lines = [
            #"{"name": "t", "prompt": "{support}\nQ: {query}\nA:"}"#,
            #"{"query": "one", "support": "s", "choices": ["a", "b"], "gold": 1}"#, "",
            #"{"query": "two", "support": "", "choices": ["a", "b"], "gold": 0}"#,
            #"{"query": "three", "support": "", "choices": ["c", "d"], "gold": 0}"#,
        ]
        let all = try task(lines)
        #expect(all.name == "t" && all.kind == .multipleChoice && all.examples.isEmpty)
        #expect(
            all.items == [
                .choice(prompt: "s\nQ: one\nA:", choices: ["a", "b"], gold: 1),
                .choice(prompt: "Q: two\nA:", choices: ["a", "b"], gold: 0),
                .choice(prompt: "Q: three\nA:", choices: ["c", "d"], gold: 0),
            ])
        let some = try task(lines, limit: 1, shots: 1)
        #expect(some.items == [all.items[1]] && some.examples == "s\nQ: one\nA: b\n\n")
    }

    @Test("a first item that has a member of a heading is an item")
    func firstItem() throws {
        let all = try task((0..<2).map { #"{"name": "Ada", "text": "a", "label": \#($0)}"# })
        #expect(all.items.count == 2 && all.name != "Ada")
    }

    @Test(
        "the error for an invalid line gives its number",
        arguments: [
            (#"{"query": "x", "choices": ["a", "b"], "gold": 2}"#, "gold"),
            (#"{"query": "x", "choices": [], "gold": 0}"#, "choices"),
            (#"{"query": "x", "choices": ["a"], "gold": 0}"#, "two or more"),
            (#"{"context": 3, "continuation": "x"}"#, "context"),
            (#"{"good": "a", "bad": "b"}"#, "another kind"), (#"{"x": 1}"#, "none of"),
            (#"{"query": "x""#, "line 2"),
            (#"{"query": "x", "choices": ["a", ""], "gold": 0}"#, "\"choices\"[1] is empty"),
            (#"{"context": "x", "continuation": ""}"#, "\"continuation\" is empty"),
            (#"{"good": "", "bad": "b"}"#, "\"good\" is empty"),
            (#"{"document": "a", "summary": ""}"#, "\"summary\" is empty"),
            (#"{"question": "a", "answers": ["", ""]}"#, "\"answers\""),
        ])
    func refuses(line: String, reason: String) {
        let error = #expect(throws: ModelFileError.self) {
            try task([#"{"query": "x", "choices": ["a", "b"], "gold": 0}"#, line])
        }
        #expect(error?.description.contains("line 2") == true)
        #expect(error?.description.contains(reason) == true)
    }

    @Test("likelihoods agree with the log probabilities of the tokens of the full text")
    func likelihoods() throws {
        let checkpoint = try Checkpoint(folder + "/tiny-llama")
        let (model, tokenizer) = (try Model(checkpoint), try checkpoint.tokenizer())
        let engine = Engine(threads: 2)
        let texts = [("Anna found a ", "white drum"), ("", "He gave it"), ("In the", " harbour.")]
        let continuations = texts.map { Continuation($0, $1, tokenizer: tokenizer, most: 256) }
        #expect(continuations[1].predicted == continuations[1].tokens.count - 1)
        let found = try Likelihood.all(of: continuations, by: model, on: engine) { _ in }
        for (continuation, likelihood) in zip(continuations, found) {
            var (sum, isGreedy) = (0.0, true)
            for count in continuation.tokens.count
                - continuation.predicted..<continuation.tokens.count
            {
                var pass = ForwardPass(model, on: engine)
                var last: [Float] = []
                pass.logits(of: TokenBatch([Array(continuation.tokens.prefix(count))])) {
                    last = Array($1.row($0.count - 1))
                }
                let token = Int(continuation.tokens[count])
                let top = Double(last.max() ?? 0)
                let total = last.reduce(0) { $0 + exp(Double($1) - top) }
                sum += Double(last[token]) - top - log(total)
                isGreedy = isGreedy && last[token] == last.max()
            }
            #expect(abs(likelihood.logarithm - sum) < 1e-3 && likelihood.isGreedy == isGreedy)
        }
    }

    @Test("a model that was trained on the text answers correctly")
    func answers() throws {
        let choice = try run(
            task([
                #"{"query": "Anna found a", "choices": ["zq", "white drum"], "gold": 1}"#,
                #"{"query": "Anna found a", "choices": ["white drum", "zq"], "gold": 1}"#,
            ]))
        #expect(choice.scores == [1, 0] && choice.value == 0.5)
        let written = try run(
            task([
                #"{"prompt": "{question}"}"#,
                #"{"question": "Anna found a", "answers": ["the white drum", "a white drum"]}"#,
            ]))
        #expect(written.metric == "contains" && written.others["em"] == 0)
        let words = try run(
            task([#"{"context": "Anna found a white", "continuation": "zebra"}"#]))
        #expect(words.value == 0 && (words.others["perplexity"] ?? 0) > 1)
        let pairs = try run(
            task([#"{"good": "Anna found a white drum.", "bad": "Drum Anna white a found."}"#]))
        #expect(pairs.value == 1)
        let alike = try run(
            task([
                #"{"first": "A dog runs.", "second": "A dog runs.", "score": 5}"#,
                #"{"first": "A dog runs.", "second": "The sea is cold today.", "score": 1}"#,
            ]), "tiny-bert")
        #expect(abs(alike.value - 1) < 1e-9)
    }

    @Test("a space or the task's delimiter separates the prompt from the continuation")
    func delimiters() throws {
        let perplexities = try [
            (#""Anna found a""#, #""white drum""#), (#""Anna found a""#, #"" white drum""#),
            (#""Anna found a ""#, #""white drum""#), (#""Anna found ""#, #""a white drum""#),
        ].map { context, text in
            let line = #"{"context": \#(context), "continuation": \#(text)}"#
            return try #require(try run(task([line])).others["perplexity"])
        }
        #expect(perplexities[1] == perplexities[0] && perplexities[2] == perplexities[0])
        #expect(perplexities[3] < 30)
        let space = Delimiter(given: nil)
        #expect(space.before("a", after: "Q:") == " " && space.before("a", after: "") == " ")
        for (text, prompt) in [("\na", "Q:"), ("a", "Q:\n"), (" a", "Q: "), ("\u{a0}a", "Q")] {
            #expect(space.before(text, after: prompt).isEmpty)
        }
        let head = #"{"delimiter": "", "prompt": "{query}"}"#
        let choices = #"{"query": "Anna found a", "choices": ["zq", " white drum"], "gold": 1}"#
        let glued = try task([head, choices, choices], shots: 1)
        #expect(glued.examples == "Anna found a white drum\n\n")
        #expect(glued.delimiter.before(" a", after: "Q") == "")
        #expect(try run(task([head, choices])).value == 1)
        let wide = try task([#"{"delimiter": "  "}"#, choices, choices], shots: 1)
        #expect(wide.examples == "Anna found a   white drum\n\n")
        #expect(throws: ModelFileError.self) { try task([#"{"labels": ["a", ""]}"#, choices]) }
    }

    @Test("answers are scored as in SQuAD")
    func judges() {
        let exact = ScoredAnswer("The Denver Broncos!", answers: ["Carolina", "denver broncos"])
        #expect(exact.isExact && exact.contains && exact.overlap == 1)
        let part = ScoredAnswer("It was Denver in 2016", answers: ["Denver Broncos"])
        #expect(!part.isExact && !part.contains)
        #expect(abs(part.overlap - 2 * 0.2 * 0.5 / 0.7) < 1e-12)
        #expect(ScoredAnswer("in the year 1972.", answers: ["1972"]).contains)
        #expect(!ScoredAnswer("19720", answers: ["1972"]).contains)
    }

    @Test("results are compared by items, and few different items are not significant")
    func differences() {
        func result(_ scores: [Double]) -> TaskResult {
            TaskResult(name: "t", metric: "acc", scores: scores)
        }
        let worse = result([Double](repeating: 0, count: 40) + [Double](repeating: 1, count: 60))
        let better = result([Double](repeating: 1, count: 100))
        let difference = worse.difference(from: better)
        #expect(abs(difference.relative + 0.4) < 1e-12 && difference.flips == 0.4)
        #expect(difference.pValue < 1e-6)
        #expect(better.difference(from: better).pValue == 1)
        let one = result([0] + [Double](repeating: 1, count: 99)).difference(from: better)
        #expect(one.pValue > 0.2)
        #expect(abs(worse.standardError - (0.24 / 99).squareRoot()) < 1e-12)
        #expect(abs(spearman([1, 2, 3, 9], [2, 4, 8, 9]).correlation - 1) < 1e-12)
        #expect(abs(spearman([1, 2, 3], [3, 2, 1]).correlation + 1) < 1e-12)
        #expect(abs(spearman([1, 1, 2, 3], [1, 2, 2, 3]).correlation - 5.0 / 6) < 1e-12)
    }

    @Test("a decoder predicts labels by the likelihood of their words")
    func labels() throws {
        let head = #"{"labels": ["zq", "white drum"], "prompt": "{text}"}"#
        let lines = [1, 0, 1].map { #"{"text": "Anna found a", "label": \#($0)}"# }
        let result = try run(task([head] + lines))
        #expect(result.metric == "acc" && result.scores == [1, 0, 1])
        #expect(abs((result.others["f1"] ?? 0) - 0.8) < 1e-12)
        let shot = try task([head] + lines, shots: 1)
        #expect(shot.examples == "Anna found a white drum\n\n" && shot.items.count == 2)
        #expect(throws: ModelFileError.self) { try task([head, #"{"text": "x", "label": 2}"#]) }
        #expect(throws: ModelFileError.self) { try task([#"{"text": "x", "label": -1}"#]) }
    }

    @Test("an encoder predicts labels of long texts and pairs with its head")
    func heads() throws {
        let checkpoint = try Checkpoint(folder + "/classifiers/bert")
        let model = try Model(checkpoint)
        let classifier = try #require(try checkpoint.classifier())
        let tokenizer = try Checkpoint(folder + "/tiny-bert").tokenizer()
        let words = (0..<8).map { String(repeating: "a b ", count: $0) + "a" }
        let pairs = words.map { #"{"text": "\#($0)", "second": "\#($0)", "label": 0}"# }
        for lines in [words.map { #"{"text": "\#($0)", "label": 0}"# }, pairs] {
            let result = try task(lines).run(
                model, classifier: classifier, tokenizer: tokenizer, engine: Engine(threads: 1))
            var pass = ForwardPass(model, on: Engine(threads: 1))
            for (index, text) in words.enumerated() {
                var encoding = tokenizer.encode(text, pair: text)
                if lines != pairs {
                    encoding.ids = tokenizer.encode(text, addingSpecialTokens: true)
                    encoding.typeIDs = [Int32](repeating: 0, count: encoding.ids.count)
                }
                if encoding.ids.count > 32 {
                    encoding.ids = encoding.ids.prefix(31) + encoding.ids.suffix(1)
                    encoding.typeIDs = Array(encoding.typeIDs.prefix(32))
                }
                let hidden = pass.hiddenStates(
                    of: TokenBatch([(encoding.ids, encoding.typeIDs)]))
                let logits = classifier.logits(of: hidden.row(0))
                #expect(result.scores[index] == (logits.argmax == 0 ? 1 : 0))
            }
        }
    }

    @Test("an encoder finds the most likely span of a passage in any number of windows")
    func spans() throws {
        let checkpoint = try Checkpoint(folder + "/tiny-bert")
        let model = try Model(checkpoint)
        let classifier = try checkpoint.classifier(.spans, seed: 3)
        let tokenizer = try checkpoint.tokenizer()
        let story = "Anna found a white drum in the garden, and Tom's 12 cats saw 3 birds. "
        for passage in [story, String(repeating: story, count: 3), "a"] {
            let reading = Reading(question: "What did Anna find?", passage: passage)
            let most = model.shape.maximumPositions
            let windows = reading.windows(by: tokenizer, most: most)
            if passage.count > 200 { #expect(windows.count > 1) }
            if passage.count < 2 { #expect(windows.count == 1) }
            var best: (score: Double, answer: Substring)?
            var covered: Set<String.Index> = []
            for window in windows {
                #expect(window.ids.count <= most && window.typeIDs.count == window.ids.count)
                var pass = ForwardPass(model, on: Engine(threads: 1))
                let hidden = pass.hiddenStates(of: TokenBatch([(window.ids, window.typeIDs)]))
                let logits = (0..<hidden.rows).map { classifier.logits(of: hidden.row($0)) }
                for first in window.words.indices {
                    covered.insert(window.words[first].lowerBound)
                    for last in window.words.indices where last >= first && last < first + 30 {
                        let score =
                            logits[window.firstToken + first][0]
                            + logits[window.firstToken + last][1]
                        let span =
                            window.words[first].lowerBound..<window.words[last].upperBound
                        if score > best?.score ?? -.infinity { best = (score, passage[span]) }
                    }
                }
            }
            // Every word is in some window. A short passage has the tokens of the tokenizer.
            let starts = passage.indices.filter {
                passage[$0].isLetter
                    && ($0 == passage.startIndex || !passage[passage.index(before: $0)].isLetter)
            }
            #expect(covered.isSuperset(of: starts))
            if windows.count == 1 {
                let whole = tokenizer.encode(reading.question, pair: passage)
                #expect(windows[0].ids == whole.ids && windows[0].typeIDs == whole.typeIDs)
            }
            let answer = String(try #require(best?.answer))
            let asked = #""question": "\#(reading.question)", "passage": "\#(passage)""#
            let lines = [answer, "nothing of it"].map { "{\(asked), \"answers\": [\"\($0)\"]}" }
            let result = try task(lines).run(
                model, classifier: classifier, tokenizer: tokenizer, engine: Engine(threads: 1))
            #expect(result.metric == "f1" && result.scores[0] == 1 && result.scores[1] < 1)
        }
    }

    @Test("the span of an example is the first place of the answer, or else the first token")
    func spanExamples() throws {
        let tokenizer = try Checkpoint(folder + "/tiny-bert").tokenizer()
        let story = String(repeating: "Tom saw a cat in the park. ", count: 4)
        let passage = story + "It had a red hat."
        let reading = Reading(question: "What?", passage: passage)
        let examples = reading.examples(["red hat"], by: tokenizer, most: 24)
        #expect(examples.count > 2)
        for (window, first, last) in examples {
            if first > 0 {
                #expect(passage[window.span(of: first...last)] == "red hat")
                #expect(window.ids[last] != window.ids.last)
            } else {
                #expect(last == 0 && window.words.last?.upperBound != passage.endIndex)
            }
        }
        #expect(examples.contains { $0.first > 0 })
        #expect(reading.examples(["a blue hat"], by: tokenizer, most: 24).isEmpty)
    }

    @Test("measures of predictions agree with scikit-learn")
    func predictions() {
        func figures(_ given: [Int], _ right: [Int]) -> [Double] {
            var predictions = LabelPredictions()
            for (label, truth) in zip(given, right) { predictions.add(label, of: truth) }
            let result = predictions.result(of: "t")
            return [result.value, result.others["f1"] ?? -1, result.others["mcc"] ?? -1]
        }
        // sklearn.metrics: accuracy_score, f1_score, matthews_corrcoef.
        let two = figures([1, 1, 0, 0, 1, 0, 1], [1, 0, 0, 1, 1, 0, 1])
        expectClose(two.map(Float.init), [0.714286, 0.75, 0.416667], absolute: 1e-5)
        // The same functions with average="macro".
        let three = figures([0, 2, 1, 2, 0, 1, 1], [0, 1, 1, 2, 2, 1, 0])
        expectClose(three.map(Float.init), [0.571429, 0.555556, 0.34375], absolute: 1e-5)
        #expect(figures([1, 1], [1, 1])[2] == 0)
    }

    @Test("measures of summaries agree with ROUGE")
    func overlaps() {
        let (written, wanted) = (
            ROUGEText("The cat sat, on the mat!"), ROUGEText("the cat was on THE mat")
        )
        #expect(written.words == ["the", "cat", "sat", "on", "the", "mat"])
        #expect(abs(written.overlap(with: wanted, of: 1) - 5.0 / 6) < 1e-12)
        #expect(abs(written.overlap(with: wanted, of: 2) - 3.0 / 5) < 1e-12)
        #expect(abs(written.overlapOfSequence(with: wanted) - 5.0 / 6) < 1e-12)
        let turned = ROUGEText("mat the on sat cat the")
        #expect(abs(turned.overlapOfSequence(with: wanted) - 3.0 / 6) < 1e-12)
        #expect(turned.overlap(with: ROUGEText(""), of: 1) == 0)
        #expect(abs(ROUGEText("a b c d a b c d").repetition - 0.2) < 1e-12)
        #expect(ROUGEText("a b c").repetition == 0)
    }

    @Test("generated texts are returned, and another model can compute their perplexity")
    func writes() throws {
        let line = #"{"document": "Anna found a white drum. She took it to", "summary": "Anna"}"#
        let result = try run(task([#"{"prompt": "{document}"}"#, line]))
        #expect(result.metric == "rougeL" && result.written.count == 1)
        let model = try Model(Checkpoint(folder + "/tiny-llama"))
        let perplexity = try #require(try result.perplexity(to: model, on: Engine(threads: 2)))
        // The model generated the tokens that are most likely for itself.
        #expect(perplexity >= 1 && perplexity < 3)
        #expect(try run(task([line])).written.count == 1)
    }
}
