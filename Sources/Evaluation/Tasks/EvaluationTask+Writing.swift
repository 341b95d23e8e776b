internal import Foundation
public import Tensors
internal import Tokenizers
public import Transformers

/// Tasks with generated answers.
extension EvaluationTask {
    /// Generates the answers to all items, and scores them.
    func generated(
        by writer: inout Writer<some Tokenizer>, _ progress: (Double) throws -> Void
    ) throws -> TaskResult {
        var (answers, tokens) = ([[String]](), [[Int32]]())
        for item in items {
            let first = writer.written.count
            answers.append(try writer.answers(to: item, of: self))
            tokens.append(writer.written[first...].flatMap { $0.tokens.suffix($0.predicted) })
            try progress(Double(answers.count) / Double(items.count))
        }
        var result = scored(answers, tokens, writer.written)
        result.answers = answers
        if kind == .summaries || kind == .conversations {
            result.notes.append(
                "The quality of the texts is not scored. Give --judge and --against to compare "
                    + "them with the texts of another model.")
        }
        return result
    }

    private func scored(
        _ answers: [[String]], _ tokens: [[Int32]], _ written: [Continuation]
    ) -> TaskResult {
        let texts = answers.map { $0.joined(separator: "\n") }
        let form = [
            "length": tokens.map { Double($0.count) }.mean,
            "unique": tokens.map { Double(Set($0).count) }.mean,
            "repetition": texts.map { ROUGEText($0).repetition }.mean,
        ]
        switch kind {
        case .questions: return scoredAnswers(texts, written)
        case .calculations: return scoredNumbers(texts, written)
        case .instructions: return scoredInstructions(texts, written)
        case .summaries:
            let pairs = zip(items, texts).compactMap { item, text -> (ROUGEText, ROUGEText)? in
                guard case .document(_, let summary) = item else { return nil }
                return (ROUGEText(text), ROUGEText(summary))
            }
            return TaskResult(
                name: name, metric: "rougeL", scores: pairs.map { $0.overlapOfSequence(with: $1) },
                others: form.merging([
                    "rouge1": pairs.map { $0.overlap(with: $1, of: 1) }.mean,
                    "rouge2": pairs.map { $0.overlap(with: $1, of: 2) }.mean,
                ]) { $1 }, written: written)
        default:
            return TaskResult(
                name: name, metric: "length", scores: tokens.map { Double($0.count) },
                others: form.filter { $0.key != "length" }, written: written)
        }
    }

    private func scoredAnswers(_ texts: [String], _ written: [Continuation]) -> TaskResult {
        let scored = zip(items, texts).compactMap { item, text -> ScoredAnswer? in
            guard case .question(_, let answers, _) = item else { return nil }
            return ScoredAnswer(text, answers: answers, ignoringArticles: form.ignoresArticles)
        }
        return ScoredAnswer.result(
            of: scored, name, metric: form.isExact ? "exact_match" : "contains", written: written)
    }

    private func scoredNumbers(_ texts: [String], _ written: [Continuation]) -> TaskResult {
        let scores = zip(items, texts).compactMap { item, text -> (Bool, Bool)? in
            guard case .calculation(_, let answer) = item else { return nil }
            let (found, expected) = (GeneratedNumber(text), GeneratedNumber.bare(answer))
            return (found.strict == expected, found.flexible == expected)
        }
        return TaskResult(
            name: name, metric: "exact_match", scores: scores.map { $0.0 ? 1 : 0 },
            others: ["flexible": scores.map { $0.1 ? 1 : 0 }.mean], written: written)
    }

    private func scoredInstructions(_ texts: [String], _ written: [Continuation]) -> TaskResult {
        let scores = zip(items, texts).compactMap { item, text -> [(strict: Bool, loose: Bool)]? in
            guard case .instructed(_, let instructions) = item else { return nil }
            return instructions.map {
                ($0.isFollowed(by: text), $0.isLooselyFollowed(by: text))
            }
        }
        let single = scores.flatMap(\.self)
        return TaskResult(
            name: name, metric: "prompt_level_strict_acc",
            scores: scores.map { $0.allSatisfy(\.strict) ? 1 : 0 },
            others: [
                "prompt_level_loose_acc": scores.map { $0.allSatisfy(\.loose) ? 1 : 0 }.mean,
                "inst_level_strict_acc": single.map { $0.strict ? 1 : 0 }.mean,
                "inst_level_loose_acc": single.map { $0.loose ? 1 : 0 }.mean,
            ], written: written)
    }
}

/// Generates answers; each next token is the most likely token.
struct Writer<Words: Tokenizer> {
    private let tokenizer: Words
    private let positions: Int
    private let chat: ChatMarkup?
    private var generator: Generator
    /// All generated texts with their prompts.
    private(set) var written: [Continuation] = []

    init(_ model: Model, _ tokenizer: Words, _ engine: Engine, chat: ChatMarkup?) {
        self.tokenizer = tokenizer
        self.chat = chat
        positions = model.shape.maximumPositions
        generator = Generator(
            ForwardPass(model, on: engine), sampler: Sampler(temperature: 0),
            capacity: positions)
    }

    /// Generates the answers to the prompts of an item: one, or one for each turn.
    mutating func answers(to item: TaskItem, of task: EvaluationTask) throws -> [String] {
        let form = task.form
        func given(_ prompt: String) throws -> String {
            let text = task.examples + prompt
            guard form.isChat, let chat else { return text }
            return try chat.prompt([ChatMessage(role: "user", content: text)])
        }
        func lineOrText(_ prompt: String, lineTokens: Int) throws -> [String] {
            guard let stops = form.stops else {
                return [try line(after: given(prompt), most: form.tokens ?? lineTokens)]
            }
            return [try text(after: given(prompt), most: form.tokens ?? 256, stops: stops)]
        }
        switch item {
        case .question(let prompt, _, _): return try lineOrText(prompt, lineTokens: 32)
        case .document(let prompt, _): return try lineOrText(prompt, lineTokens: 96)
        case .calculation(let prompt, _):
            let stops = form.stops ?? ["Question:", "</s>", "<|im_end|>"]
            return [try text(after: given(prompt), most: form.tokens ?? 256, stops: stops)]
        case .instructed(let prompt, _):
            return [
                try text(
                    after: given(prompt), most: form.tokens ?? 1280, stops: form.stops ?? [])
            ]
        case .conversation(let turns):
            return try replies(to: turns, most: form.tokens ?? 512)
        default: return []
        }
    }

    /// Generates an answer to each message of a conversation.
    private mutating func replies(to turns: [String], most: Int) throws -> [String] {
        guard let chat else { return [] }
        var (messages, replies) = ([ChatMessage](), [String]())
        for turn in turns {
            messages.append(ChatMessage(role: "user", content: turn))
            let reply = try text(
                after: chat.prompt(messages), most: most, stops: [], ends: chat.ends)
            messages.append(ChatMessage(role: "assistant", content: reply))
            replies.append(reply)
        }
        return replies
    }

    /// Generates text after a prompt, and returns the text before the first stop.
    private mutating func text(
        after prompt: String, most: Int, stops: [String], ends: Set<Int32> = []
    ) throws -> String {
        // A stop may begin before the last token. Each token has at least one byte of text.
        let longest = stops.reduce(0) { max($0, $1.utf8.count) } + 1
        let ids = try tokens(after: prompt, most: most, ends: ends) { ids, tokenizer in
            guard !stops.isEmpty else { return false }
            let tail = tokenizer.decode(Array(ids.suffix(longest)))
            return stops.contains(where: tail.contains)
        }
        var text = tokenizer.decode(ids)
        for stop in stops {
            if let range = text.firstRange(of: stop) { text = String(text[..<range.lowerBound]) }
        }
        return text
    }

    /// Generates text after a prompt, and returns the first line that is not empty.
    private mutating func line(after prompt: String, most: Int) throws -> String {
        var hasText = false
        let ids = try tokens(after: prompt, most: most) { ids, tokenizer in
            let text = tokenizer.decode(Array(ids.suffix(1)))
            if hasText, text.contains(where: \.isNewline) { return true }
            hasText = hasText || text.contains { !$0.isWhitespace }
            return false
        }
        let lines = tokenizer.decode(ids).split(whereSeparator: \.isNewline)
        return lines.first { $0.contains { !$0.isWhitespace } }.map(String.init) ?? ""
    }

    /// Generates tokens until a text ends, or the tokens are enough.
    private mutating func tokens(
        after prompt: String, most: Int, ends: Set<Int32> = [],
        until isEnough: ([Int32], Words) -> Bool
    ) throws -> [Int32] {
        var start = tokenizer.encode(prompt, addingSpecialTokens: false)
            .suffix(max(1, positions - most))
        if start.isEmpty { start = [tokenizer.beginningOfText ?? tokenizer.endOfText ?? 0] }
        let ends = ends.union([tokenizer.endOfText].compactMap(\.self))
        var ids: [Int32] = []
        let tokenizer = tokenizer
        do {
            try generator.generate(after: Array(start), count: most, ends: ends) { token in
                ids.append(token)
                if isEnough(ids, tokenizer) { throw EndOfAnswer() }
            }
        } catch is EndOfAnswer {}
        written.append(Continuation(Array(start), ids))
        return ids
    }
}

private struct EndOfAnswer: Error {}

extension TaskResult {
    /// Returns the perplexity that another model gives to the generated answers.
    ///
    /// The perplexity that the dense model gives grows when a pruned model generates text that the
    /// dense model would not.
    ///
    /// - Parameters:
    ///   - model: A decoder with the same tokens as the generating model.
    ///   - engine: The engine to run on.
    /// - Returns: The perplexity; nil if nothing was generated.
    /// - Throws: `NonFiniteError`.
    public func perplexity(to model: Model, on engine: Engine) throws -> Double? {
        let texts = written.filter { $0.predicted > 0 }
        let found = try Likelihood.all(of: texts, by: model, on: engine) { _ in }
        let count = texts.reduce(0) { $0 + $1.predicted }
        return count == 0 ? nil : exp(-found.reduce(0) { $0 + $1.logarithm } / Double(count))
    }
}
