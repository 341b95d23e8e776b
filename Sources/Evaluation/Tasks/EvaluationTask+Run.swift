internal import Foundation
public import Tensors
public import Tokenizers
public import Transformers

extension EvaluationTask {
    /// Evaluates a model on all items.
    ///
    /// - Parameters:
    ///   - model: A decoder; for similarities an encoder; for classification and questions either.
    ///   - classifier: The encoder's head; nil for decoders, and optional for similarities.
    ///   - tokenizer: The model's tokenizer.
    ///   - engine: The engine to run on.
    ///   - progress: Called with the fraction of items that is done; may throw to stop.
    /// - Returns: The scores.
    /// - Throws: The error of `progress`.
    public func run(
        _ model: Model, classifier: Classifier? = nil, tokenizer: some Tokenizer, engine: Engine,
        progress: (_ done: Double) throws -> Void = { _ in }
    ) throws -> TaskResult {
        switch (kind, classifier) {
        case (.classification, let classifier?):
            return try classified(by: classifier, model, tokenizer, engine, progress)
        case (.questions, let classifier?):
            return try extracted(by: classifier, model, tokenizer, engine, progress)
        default: break
        }
        switch kind {
        case .multipleChoice, .lastWords, .minimalPairs, .classification:
            let texts = items.flatMap { self.texts(of: $0) }
            let continuations = texts.map {
                Continuation(
                    $0, $1, tokenizer: tokenizer, most: model.shape.maximumPositions)
            }
            let found = try Likelihood.all(of: continuations, by: model, on: engine) {
                try progress(Double($0) / Double(texts.count))
            }
            return result(of: found)
        case .questions: return try answered(model, tokenizer, engine, progress)
        case .summaries: return try summarised(model, tokenizer, engine, progress)
        case .similarity: return try compared(classifier, model, tokenizer, engine, progress)
        case .retrieval, .reranking, .clustering, .fewShot, .pairs:
            return try compared(
                TextEncoder(model, tokenizer, engine), engine: engine, progress: progress)
        }
    }

    /// Returns the result from the likelihoods of the texts of all items.
    private func result(of found: [Likelihood]) -> TaskResult {
        var (scores, normalised) = ([Double](), [Double]())
        var predictions = LabelPredictions()
        var first = 0
        for item in items {
            switch item {
            case .choice(_, let choices, let gold):
                let logarithms = found[first..<first + choices.count].map(\.logarithm)
                let perCharacter = zip(logarithms, choices).map {
                    $0 / Double(max($1.unicodeScalars.count, 1))
                }
                scores.append(logarithms.argmax == gold ? 1 : 0)
                normalised.append(perCharacter.argmax == gold ? 1 : 0)
                first += choices.count
            case .lastWords:
                scores.append(found[first].isGreedy ? 1 : 0)
                normalised.append(found[first].logarithm)
                first += 1
            case .minimalPair:
                scores.append(found[first].logarithm > found[first + 1].logarithm ? 1 : 0)
                first += 2
            case .labelled(_, _, _, let label):
                let logarithms = found[first..<first + labels.count].map(\.logarithm)
                predictions.add(logarithms.argmax ?? 0, of: label)
                first += labels.count
            case .question, .similarity, .document, .search, .ranking, .clustered, .pair: continue
            }
        }
        if kind == .classification { return predictions.result(of: name) }
        let mean = normalised.mean
        let others: [String: Double] =
            switch kind {
            case .multipleChoice: ["acc_norm": mean]
            case .lastWords: ["perplexity": exp(-mean)]
            default: [:]
            }
        return TaskResult(name: name, metric: "acc", scores: scores, others: others)
    }
}

extension EvaluationTask {
    /// Returns the texts whose likelihoods give the score of an item: prompts and their
    /// continuations.
    private func texts(of item: TaskItem) -> [(String, String)] {
        func following(_ prompt: String, _ texts: [String]) -> [(String, String)] {
            texts.map { (prompt, delimiter.before($0, after: prompt) + $0) }
        }
        return switch item {
        case .choice(let prompt, let choices, _): following(examples + prompt, choices)
        case .lastWords(let context, let continuation): following(context, [continuation])
        case .minimalPair(let good, let bad): [("", good), ("", bad)]
        case .labelled(_, _, let prompt, _): following(examples + prompt, labels)
        case .question, .similarity, .document, .search, .ranking, .clustered, .pair: []
        }
    }
}

extension [Double] {
    /// The index of the largest value; the first index if several values are equal.
    var argmax: Int? {
        indices.max { (self[$0], -$0) < (self[$1], -$1) }
    }
}
