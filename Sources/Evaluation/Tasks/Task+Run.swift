internal import Foundation
public import Tensors
public import Tokenizers
public import Transformers

extension Task {
    /// The most tokens of a written answer.
    private static let answerTokens = 32

    /// Asks a model all questions.
    ///
    /// - Parameters:
    ///   - model: A decoder; for similarities an encoder.
    ///   - tokenizer: Its tokenizer.
    ///   - engine: What to run on.
    ///   - progress: Called with the share of the questions that is done; may throw to stop.
    /// - Returns: The scores.
    /// - Throws: What `progress` throws.
    public func run(
        _ model: Model, tokenizer: some Tokenizer, engine: Engine,
        progress: (_ done: Double) throws -> Void = { _ in }
    ) throws -> TaskResult {
        switch kind {
        case .multipleChoice, .lastWords, .minimalPairs:
            let texts = items.flatMap { $0.texts(behind: examples) }
            let continuations = texts.map {
                Continuation(
                    $0, $1, tokenizer: tokenizer, most: model.shape.maximumPositions)
            }
            let found = try Likelihood.all(of: continuations, by: model, on: engine) {
                try progress(Double($0) / Double(texts.count))
            }
            return judged(found)
        case .questions: return try answered(model, tokenizer, engine, progress)
        case .similarity: return try compared(model, tokenizer, engine, progress)
        }
    }

    /// Judges the likelihoods of all items' texts.
    private func judged(_ found: [Likelihood]) -> TaskResult {
        var (scores, normalised) = ([Double](), [Double]())
        var first = 0
        for item in items {
            switch item {
            case .choice(_, let choices, let gold):
                let logarithms = found[first..<first + choices.count].map(\.logarithm)
                let perCharacter = zip(logarithms, choices).map {
                    $0 / Double(max($1.unicodeScalars.count, 1))
                }
                scores.append(logarithms.firstGreatest == gold ? 1 : 0)
                normalised.append(perCharacter.firstGreatest == gold ? 1 : 0)
                first += choices.count
            case .lastWords:
                scores.append(found[first].isGreedy ? 1 : 0)
                normalised.append(found[first].logarithm)
                first += 1
            case .minimalPair:
                scores.append(found[first].logarithm > found[first + 1].logarithm ? 1 : 0)
                first += 2
            case .question, .similarity: continue
            }
        }
        let mean = normalised.reduce(0, +) / Double(max(normalised.count, 1))
        let others: [String: Double] =
            switch kind {
            case .multipleChoice: ["acc_norm": mean]
            case .lastWords: ["perplexity": exp(-mean)]
            default: [:]
            }
        return TaskResult(name: name, metric: "acc", scores: scores, others: others)
    }

    private func answered(
        _ model: Model, _ tokenizer: some Tokenizer, _ engine: Engine,
        _ progress: (Double) throws -> Void
    ) throws -> TaskResult {
        let most = model.shape.maximumPositions
        var generator = Generator(
            ForwardPass(model, on: engine), sampler: Sampler(temperature: 0), capacity: most)
        let ends = Set([tokenizer.endOfText].compactMap(\.self))
        var (contains, exact, overlap) = ([Double](), [Double](), [Double]())
        for (index, item) in items.enumerated() {
            guard case .question(let prompt, let answers) = item else { continue }
            let start = tokenizer.encode(examples + prompt, addingSpecialTokens: false)
                .suffix(most - Self.answerTokens)
            var written: [Int32] = []
            do {
                try generator.generate(
                    after: start.isEmpty ? [tokenizer.beginningOfText ?? 0] : Array(start),
                    count: Self.answerTokens, ends: ends
                ) { token in
                    written.append(token)
                    // An answer is a line.
                    if tokenizer.decode([token]).contains("\n") { throw EndOfLine() }
                }
            } catch is EndOfLine {}
            let line = tokenizer.decode(written).split(
                separator: "\n", omittingEmptySubsequences: false)
            let judged = JudgedAnswer(String(line.first ?? ""), answers: answers)
            contains.append(judged.contains ? 1 : 0)
            exact.append(judged.isExact ? 1 : 0)
            overlap.append(judged.overlap)
            try progress(Double(index + 1) / Double(items.count))
        }
        let count = Double(max(contains.count, 1))
        return TaskResult(
            name: name, metric: "contains", scores: contains,
            others: ["em": exact.reduce(0, +) / count, "f1": overlap.reduce(0, +) / count])
    }

    private struct EndOfLine: Error {}

    private func compared(
        _ model: Model, _ tokenizer: some Tokenizer, _ engine: Engine,
        _ progress: (Double) throws -> Void
    ) throws -> TaskResult {
        var pass = ForwardPass(model, on: engine)
        var (cosines, wanted) = ([Double](), [Double]())
        for first in stride(from: 0, to: items.count, by: 16) {
            var sentences: [[Int32]] = []
            for item in items[first..<min(first + 16, items.count)] {
                guard case .similarity(let one, let other, let score) = item else { continue }
                sentences += [one, other].map {
                    Array(
                        tokenizer.encode($0, addingSpecialTokens: true)
                            .prefix(model.shape.maximumPositions))
                }
                wanted.append(score)
            }
            let batch = TokenBatch(sentences)
            let hidden = pass.hiddenStates(of: batch)
            let means = batch.sequences.map { hidden.mean(of: $0) }
            for place in stride(from: 0, to: means.count, by: 2) {
                cosines.append(cosine(means[place], means[place + 1]))
            }
            try progress(Double(min(first + 16, items.count)) / Double(items.count))
        }
        let (correlation, terms) = spearman(cosines, wanted)
        // The large-sample error of a correlation.
        let error = (1 - correlation * correlation) / Double(max(terms.count - 1, 1)).squareRoot()
        return TaskResult(
            name: name, metric: "spearman", value: correlation, standardError: error,
            scores: terms, others: [:])
    }
}

extension TaskItem {
    /// The texts whose likelihoods judge the item: a prompt and what follows it.
    fileprivate func texts(behind examples: String) -> [(String, String)] {
        switch self {
        case .choice(let prompt, let choices, _): choices.map { (examples + prompt, " " + $0) }
        case .lastWords(let context, let continuation): [(context, " " + continuation)]
        case .minimalPair(let good, let bad): [("", good), ("", bad)]
        case .question, .similarity: []
        }
    }
}

extension [Double] {
    /// The index of the greatest value, the first of several.
    fileprivate var firstGreatest: Int? {
        indices.max { (self[$0], -$0) < (self[$1], -$1) }
    }
}
