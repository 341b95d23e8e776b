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
    ///   - chat: The model's chat markup, which tasks with ``needsChat`` need.
    ///   - progress: Called with the fraction of items that is done; may throw to stop.
    /// - Returns: The scores.
    /// - Throws: The error of `progress`.
    public func run(
        _ model: Model, classifier: Classifier? = nil, tokenizer: some Tokenizer, engine: Engine,
        chat: ChatMarkup? = nil, progress: (_ done: Double) throws -> Void = { _ in }
    ) throws -> TaskResult {
        var result = try result(
            model, classifier: classifier, tokenizer: tokenizer, engine: engine, chat: chat,
            progress: progress)
        let scores = Dictionary(grouping: zip(subjects, result.scores), by: \.0)
        result.subjects = scores.sorted { $0.key < $1.key }.map { name, items in
            TaskResult.Subject(name: name, items: items.count, value: items.map(\.1).mean)
        }
        if leftOut > 0 {
            result.notes.append(
                "\(leftOut == 1 ? "1 item asks" : "\(leftOut) items ask") for a language, which is "
                    + "not checked, and \(leftOut == 1 ? "is" : "are") left out.")
        }
        return result
    }

    /// Whether the model's chat template forms the prompts.
    public var needsChat: Bool { form.isChat || kind == .conversations }

    private func result(
        _ model: Model, classifier: Classifier?, tokenizer: some Tokenizer, engine: Engine,
        chat: ChatMarkup?, progress: (_ done: Double) throws -> Void
    ) throws -> TaskResult {
        switch (kind, classifier) {
        case (.classification, let classifier?):
            return try classified(by: classifier, model, tokenizer, engine, progress)
        case (.questions, let classifier?):
            return try extracted(by: classifier, model, tokenizer, engine, progress)
        default: break
        }
        switch kind {
        case .multipleChoice, .partialChoice, .lastWords, .minimalPairs, .classification:
            let texts = items.flatMap { self.texts(of: $0) }
            let continuations = texts.map {
                Continuation(
                    $0, $1, tokenizer: tokenizer, most: model.shape.maximumPositions)
            }
            let found = try Likelihood.all(of: continuations, by: model, on: engine) {
                try progress(Double($0) / Double(texts.count))
            }
            return result(of: found)
        case .questions, .summaries, .calculations, .instructions, .conversations:
            var writer = Writer(model, tokenizer, engine, chat: chat)
            return try generated(by: &writer, progress)
        case .pages: return try predicted(model, tokenizer, engine, progress)
        case .similarity: return try compared(classifier, model, tokenizer, engine, progress)
        case .retrieval, .reranking, .clustering, .fewShot, .pairs:
            return try compared(
                TextEncoder(model, tokenizer, engine), engine: engine, progress: progress)
        }
    }

    /// Returns the result from the likelihoods of the texts of all items.
    private func result(of found: [Likelihood]) -> TaskResult {
        var (scores, normalised) = ([Double](), [Double]())
        var (choices, margins) = ([Int](), [Double]())
        var predictions = LabelPredictions()
        var first = 0
        func choose(_ logarithms: [Double], _ gold: Int) {
            choices.append(logarithms.argmax ?? 0)
            let others = logarithms.indices.filter { $0 != gold }.map { logarithms[$0] }
            margins.append(logarithms[gold] - (others.max() ?? -.infinity))
            scores.append(logarithms.argmax == gold ? 1 : 0)
            first += logarithms.count
        }
        for item in items {
            switch item {
            case .choice(_, let choices, let gold):
                let logarithms = found[first..<first + choices.count].map(\.logarithm)
                let perCharacter = zip(logarithms, choices).map {
                    $0 / Double(max($1.unicodeScalars.count, 1))
                }
                normalised.append(perCharacter.argmax == gold ? 1 : 0)
                choose(logarithms, gold)
            case .partial(let contexts, _, let gold):
                choose(found[first..<first + contexts.count].map(\.logarithm), gold)
            case .lastWords:
                scores.append(found[first].isGreedy ? 1 : 0)
                normalised.append(found[first].logarithm)
                first += 1
            case .minimalPair:
                choose(found[first..<first + 2].map(\.logarithm), 0)
            case .labelled(_, _, _, let label):
                let logarithms = found[first..<first + labels.count].map(\.logarithm)
                predictions.add(logarithms.argmax ?? 0, of: label)
                choose(logarithms, label)
            case .question, .similarity, .document, .calculation, .instructed, .page,
                .conversation, .search, .ranking, .clustered, .pair:
                continue
            }
        }
        if kind == .classification {
            var result = predictions.result(of: name)
            (result.choices, result.margins) = (choices, margins)
            return result
        }
        let mean = normalised.mean
        let others: [String: Double] =
            switch kind {
            case .multipleChoice: ["acc_norm": mean]
            case .lastWords: ["perplexity": exp(-mean)]
            default: [:]
            }
        var result = TaskResult(name: name, metric: "acc", scores: scores, others: others)
        if kind != .lastWords { (result.choices, result.margins) = (choices, margins) }
        return result
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
        case .partial(let contexts, let text, _):
            contexts.flatMap { following(examples + $0, [text]) }
        case .minimalPair(let good, let bad):
            [good, bad].map { ("", (delimiter.given ?? "") + $0) }
        case .labelled(_, _, let prompt, _): following(examples + prompt, labels)
        case .question, .similarity, .document, .calculation, .instructed, .page, .conversation,
            .search, .ranking, .clustered, .pair:
            []
        }
    }
}

extension [Double] {
    /// The index of the largest value; the first index if several values are equal.
    var argmax: Int? {
        indices.max { (self[$0], -$0) < (self[$1], -$1) }
    }
}
