internal import Foundation
public import Tensors
internal import Tokenizers
public import Transformers

/// Tasks with generated answers.
extension EvaluationTask {
    /// The maximum number of tokens of an answer, and of a summary.
    private static let (answerTokens, summaryTokens) = (32, 96)

    func answered(
        _ model: Model, _ tokenizer: some Tokenizer, _ engine: Engine,
        _ progress: (Double) throws -> Void
    ) throws -> TaskResult {
        var writer = Writer(model, tokenizer, engine, most: Self.answerTokens)
        var scored: [ScoredAnswer] = []
        for case .question(let prompt, let answers, _) in items {
            scored.append(
                ScoredAnswer(try writer.line(after: examples + prompt), answers: answers))
            try progress(Double(scored.count) / Double(items.count))
        }
        return ScoredAnswer.result(
            of: scored, name, metric: "contains", written: writer.written)
    }

    func summarised(
        _ model: Model, _ tokenizer: some Tokenizer, _ engine: Engine,
        _ progress: (Double) throws -> Void
    ) throws -> TaskResult {
        var writer = Writer(model, tokenizer, engine, most: Self.summaryTokens)
        var (longest, ones, twos, repetition) = ([Double](), [Double](), [Double](), [Double]())
        for case .document(let prompt, let summary) in items {
            let written = ROUGEText(try writer.line(after: examples + prompt))
            let expected = ROUGEText(summary)
            longest.append(written.overlapOfSequence(with: expected))
            ones.append(written.overlap(with: expected, of: 1))
            twos.append(written.overlap(with: expected, of: 2))
            repetition.append(written.repetition)
            try progress(Double(longest.count) / Double(items.count))
        }
        return TaskResult(
            name: name, metric: "rougeL", scores: longest,
            others: ["rouge1": ones.mean, "rouge2": twos.mean, "repetition": repetition.mean],
            written: writer.written)
    }
}

/// Generates a line after each prompt; each next token is the most likely token.
private struct Writer<Words: Tokenizer> {
    private let tokenizer: Words
    private let most: Int
    private let positions: Int
    private var generator: Generator
    /// All generated texts with their prompts.
    private(set) var written: [Continuation] = []

    init(_ model: Model, _ tokenizer: Words, _ engine: Engine, most: Int) {
        self.tokenizer = tokenizer
        self.most = most
        positions = model.shape.maximumPositions
        generator = Generator(
            ForwardPass(model, on: engine), sampler: Sampler(temperature: 0),
            capacity: positions)
    }

    /// Generates text after a prompt, and returns the first line that is not empty.
    mutating func line(after prompt: String) throws -> String {
        var start = tokenizer.encode(prompt, addingSpecialTokens: false)
            .suffix(max(1, positions - most))
        if start.isEmpty { start = [tokenizer.beginningOfText ?? tokenizer.endOfText ?? 0] }
        let ends = Set([tokenizer.endOfText].compactMap(\.self))
        var (ids, hasText) = ([Int32](), false)
        let tokenizer = tokenizer
        do {
            try generator.generate(after: Array(start), count: most, ends: ends) { token in
                ids.append(token)
                let text = tokenizer.decode([token])
                if hasText, text.contains(where: \.isNewline) { throw EndOfLine() }
                hasText = hasText || text.contains { !$0.isWhitespace }
            }
        } catch is EndOfLine {}
        written.append(Continuation(Array(start), ids))
        let lines = tokenizer.decode(ids).split(whereSeparator: \.isNewline)
        return lines.first { $0.contains { !$0.isWhitespace } }.map(String.init) ?? ""
    }

    private struct EndOfLine: Error {}
}

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
