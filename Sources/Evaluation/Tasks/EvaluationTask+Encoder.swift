internal import Tensors
public import Tokenizers
internal import Transformers

/// Tasks of encoders.
extension EvaluationTask {
    /// The maximum number of texts in a batch.
    private static let batch = 32

    /// Compares the most likely label of each text with the correct label.
    func classified(
        by classifier: Classifier, _ model: Model, _ tokenizer: some Tokenizer, _ engine: Engine,
        _ progress: (Double) throws -> Void
    ) throws -> TaskResult {
        var predictions = LabelPredictions()
        let logits = try logits(of: classifier, model, tokenizer, engine, progress)
        for (item, logits) in zip(items, logits) {
            guard case .labelled(_, _, _, let label) = item else { continue }
            predictions.add(logits.argmax ?? 0, of: label)
        }
        return predictions.result(of: name)
    }

    /// Compares the similarities of pairs of sentences with their scores.
    ///
    /// The similarity is the output of a regression head, or without a head the cosine of the two
    /// vectors.
    func compared(
        _ classifier: Classifier?, _ model: Model, _ tokenizer: some Tokenizer, _ engine: Engine,
        _ progress: (Double) throws -> Void
    ) throws -> TaskResult {
        let expected = items.compactMap { item in
            if case .similarity(_, _, let score) = item { score } else { nil }
        }
        let found =
            if let classifier, classifier.kind == .labels(1) {
                try logits(of: classifier, model, tokenizer, engine, progress).map { $0[0] }
            } else {
                try cosines(model, tokenizer, engine, progress)
            }
        let (correlation, terms) = spearman(found, expected)
        // The standard error of a correlation, for large samples.
        let error = (1 - correlation * correlation) / Double(max(terms.count - 1, 1)).squareRoot()
        var result = TaskResult(
            name: name, metric: "spearman", value: correlation, standardError: error,
            scores: terms, others: ["pearson": pearson(found, expected)])
        result.similarities = found
        return result
    }

    /// The maximum number of tokens of an answer that is a span.
    private static let answerTokens = 30

    /// Finds the most likely answer in each passage, with a span head.
    ///
    /// Items without a passage get an empty answer.
    func extracted(
        by classifier: Classifier, _ model: Model, _ tokenizer: some Tokenizer, _ engine: Engine,
        _ progress: (Double) throws -> Void
    ) throws -> TaskResult {
        var pass = ForwardPass(model, on: engine)
        let found = try inBatches(progress) { items in
            try items.map { item -> String in
                guard case .question(_, _, let reading?) = item else { return "" }
                let windows = reading.windows(
                    by: tokenizer, most: model.shape.maximumPositions)
                let batch = TokenBatch(windows.map { ($0.ids, $0.typeIDs) })
                let hidden = pass.hiddenStates(of: batch)
                try hidden.checkFinite()
                let best = zip(windows, batch.sequences).compactMap { window, rows in
                    let logits = rows.map { classifier.logits(of: hidden.row($0)) }
                    return window.mostLikely(logits, most: Self.answerTokens)
                }.max { $0.score < $1.score }
                return best.map { String(reading.passage[$0.span]) } ?? ""
            }
        }
        let scored = zip(items, found).compactMap { item, answer -> ScoredAnswer? in
            guard case .question(_, let answers, _) = item else { return nil }
            return ScoredAnswer(answer, answers: answers)
        }
        return ScoredAnswer.result(of: scored, name, metric: "f1")
    }

    /// Computes the logits of a head for every item.
    private func logits(
        of classifier: Classifier, _ model: Model, _ tokenizer: some Tokenizer, _ engine: Engine,
        _ progress: (Double) throws -> Void
    ) throws -> [[Double]] {
        var pass = ForwardPass(model, on: engine)
        return try inBatches(progress) { items in
            let most = model.shape.maximumPositions
            let batch = TokenBatch(
                items.map { $0.encoded(by: tokenizer, most: most) ?? ([], []) })
            let hidden = pass.hiddenStates(of: batch)
            try hidden.checkFinite()
            return batch.sequences.map { classifier.logits(of: hidden.row($0.lowerBound)) }
        }
    }

    /// Computes the cosine of the two sentences' vectors for every item.
    private func cosines(
        _ model: Model, _ tokenizer: some Tokenizer, _ engine: Engine,
        _ progress: (Double) throws -> Void
    ) throws -> [Double] {
        var encoder = TextEncoder(model, tokenizer, engine)
        return try inBatches(progress) { items in
            var sentences: [String] = []
            for case .similarity(let one, let other, _) in items { sentences += [one, other] }
            let vectors = try encoder.vectors(of: sentences)
            return stride(from: 0, to: vectors.rows, by: 2).map {
                cosine(Array(vectors.row($0)), Array(vectors.row($0 + 1)))
            }
        }
    }

    /// Calls a closure with one batch of items after another, and returns all results in order.
    private func inBatches<Answer>(
        _ progress: (Double) throws -> Void, _ body: (ArraySlice<TaskItem>) throws -> [Answer]
    ) throws -> [Answer] {
        var answers: [Answer] = []
        while answers.count < items.count {
            answers += try body(items[answers.count...].prefix(Self.batch))
            try progress(Double(answers.count) / Double(items.count))
        }
        return answers
    }
}

extension Activations {
    /// Throws if a last hidden state is NaN or infinite.
    func checkFinite() throws {
        for row in 0..<rows {
            try NonFiniteError.check(self.row(row), "the hidden states of the task's texts")
        }
    }
}

extension Reading.Window {
    /// Returns the span of the passage for which the logits of the first and the last token have
    /// the largest sum.
    ///
    /// - Parameters:
    ///   - logits: The logits of the first and of the last token, for each token of the window.
    ///   - most: The maximum number of tokens of a span.
    /// - Returns: The span and the sum; nil if no token belongs to the passage.
    fileprivate func mostLikely(
        _ logits: [[Double]], most: Int
    ) -> (span: Range<String.Index>, score: Double)? {
        let tokens = firstToken..<firstToken + words.count
        var best: (tokens: ClosedRange<Int>, score: Double)?
        for first in tokens {
            for last in first..<min(first + most, tokens.upperBound) {
                let score = logits[first][0] + logits[last][1]
                if score > best?.score ?? -.infinity { best = (first...last, score) }
            }
        }
        return best.map { (span(of: $0.tokens), $0.score) }
    }
}

extension TaskItem {
    /// Returns the tokens of an item for an encoder's head.
    ///
    /// - Parameters:
    ///   - tokenizer: The model's tokenizer.
    ///   - most: The maximum number of tokens. A longer sequence loses tokens before its last
    ///     token.
    /// - Returns: The tokens and their token type ids; nil if the item has no text to label.
    public func encoded(
        by tokenizer: some Tokenizer, most: Int
    ) -> (ids: [Int32], typeIDs: [Int32])? {
        let (ids, typeIDs): ([Int32], [Int32])
        switch self {
        case .labelled(let first, let second?, _, _), .similarity(let first, let second, _):
            let pair = tokenizer.encode(first, pair: second)
            (ids, typeIDs) = (pair.ids, pair.typeIDs)
        case .labelled(let text, nil, _, _):
            ids = tokenizer.encode(text, addingSpecialTokens: true)
            typeIDs = [Int32](repeating: 0, count: ids.count)
        default: return nil
        }
        return (ids.cut(to: most), Array(typeIDs.prefix(most)))
    }
}

extension [Int32] {
    /// Returns at most `most` tokens.
    ///
    /// The last token is kept, because it ends a sequence. The tokens before it are cut off.
    func cut(to most: Int) -> [Int32] {
        count > most ? prefix(most - 1) + suffix(1) : self
    }
}
