internal import Evaluation
internal import Foundation
internal import ModelFiles
internal import Tensors
internal import Tokenizers
internal import Training
internal import Transformers

/// The score of a model on the evaluation set.
struct HeldOutScore: Codable {
    /// The metric, such as `perplexity` or `acc`.
    let measure: String
    let value: Double
}

/// Training data with its evaluation set.
struct TrainingSet {
    let data: TrainingData
    /// The kind of head that is trained; nil for none.
    let head: Classifier.Kind?

    private let heldOut: HeldOut

    private enum HeldOut {
        case text([[Int32]])
        /// Sentences for which an encoder's vectors are compared with the teacher's.
        case sentences([[Int32]])
        case task(EvaluationTask)
    }

    /// The number of tokens, or of items of a task.
    var heldOutCount: Int {
        switch heldOut {
        case .text(let windows), .sentences(let windows): windows.reduce(0) { $0 + $1.count }
        case .task(let task): task.items.count
        }
    }

    /// The maximum number of windows that are held out if no evaluation set is given.
    private static let maximumHeldOut = 512

    /// Reads the files.
    ///
    /// - Parameters:
    ///   - options: The options of the training.
    ///   - model: The model to train.
    ///   - store: The file of the texts' tokens, which is written if it does not exist.
    /// - Throws: `ModelFileError` if the data does not suit the model or is too short.
    init(_ options: TrainingOptions, for model: OpenedModel, in store: String) throws {
        let isEncoder = model.shape.architecture.isEncoder
        func refuse(_ problem: String, _ remedy: String) -> ModelFileError {
            ModelFileError(file: model.location.path, problem: problem, remedy: remedy)
        }
        if !isEncoder, options.task != nil {
            throw refuse("a decoder cannot be trained on a task", "name an encoder")
        }
        if isEncoder, options.task == nil, options.teacher == nil {
            throw refuse("an encoder does not predict text", "name a decoder, or give --task")
        }
        if isEncoder, options.teacher?.onPolicyShare ?? 0 > 0 {
            throw refuse("an encoder cannot generate text", "leave out --on-policy")
        }
        if isEncoder, options.task == nil, options.teacher?.correctionSteps != nil {
            throw refuse(
                "an encoder as teacher can be adapted only to a task", "leave out --teacher-steps")
        }
        let tokenizer = try model.checkpoint.tokenizer()
        if let path = options.task {
            (data, head, heldOut) = try Self.task(
                path, options.validation, tokenizer, most: model.shape.maximumPositions,
                known: try model.checkpoint.classifier()?.kind)
        } else {
            let reader = TrainingText(
                tokenizer: tokenizer,
                length: model.checkpoint.pooling.length(
                    within: min(options.length, model.shape.maximumPositions)))
            func visit(
                _ paths: [String], _ body: (TextSequence) throws(ModelFileError) -> Void
            ) throws(ModelFileError) {
                if isEncoder {
                    try reader.visitPieces(of: paths, body)
                } else {
                    try reader.visitSequences(of: paths, body)
                }
            }
            if !FileManager.default.fileExists(atPath: store) {
                var writer = try SequenceFile.Writer(store)
                try visit(options.text) { sequence throws(ModelFileError) in
                    try writer.append(sequence)
                }
                try writer.commit()
            }
            var all = try SequenceFile(store)
            var validationPart: [TextSequence] = []
            if let path = options.validation {
                try visit([path]) { validationPart.append($0) }
            }
            let count =
                options.validation == nil ? min(max(1, all.count / 20), Self.maximumHeldOut) : 0
            guard all.count > count, count + validationPart.count > 0 else {
                throw ModelFileError(
                    file: (options.text + [options.validation].compactMap(\.self))
                        .joined(separator: ", "),
                    problem: "it is too short to train and evaluate on",
                    remedy: "give more text, or windows of fewer tokens")
            }
            let held = (validationPart + (try all.removeLast(count))).map(\.ids)
            data = .stored(all)
            heldOut = isEncoder ? .sentences(held) : .text(held)
            head = nil
        }
    }

    private static func task(
        _ path: String, _ validation: String?, _ tokenizer: some Tokenizer, most: Int,
        known: Classifier.Kind?
    ) throws -> (TrainingData, Classifier.Kind, HeldOut) {
        let task = try TaskFile.read(path)
        let validationPart = try validation.map { try TaskFile.read($0) }
        var items = task.items
        let held = validationPart?.items ?? items.suffix(max(1, items.count / 20))
        if validationPart == nil { items.removeLast(held.count) }
        let examples = items.flatMap { $0.examples(tokenizer, most: most) }
        if let validation, validationPart?.kind != task.kind {
            throw ModelFileError(
                file: validation,
                problem: "its items are of another kind than the items of \(path)",
                remedy: "give items of one kind to train and evaluate on")
        }
        guard !examples.isEmpty else {
            throw ModelFileError(
                file: path, problem: "it has too few items for the training of an encoder's head",
                remedy: "give lines of text and label, of first, second and score, or of "
                    + "question, passage and answers that occur in the passage")
        }
        let head: Classifier.Kind =
            switch task.kind {
            case .similarity: .labels(1)
            case .questions: .spans
            default: labels(of: [task] + [validationPart].compactMap(\.self), known: known)
            }
        return (.labelled(examples), head, .task(task.asking(held)))
    }

    /// Returns the kind of head for the labels that tasks name or use, at least two.
    ///
    /// If the model's own head has more labels, it is used.
    private static func labels(
        of tasks: [EvaluationTask], known: Classifier.Kind?
    ) -> Classifier.Kind {
        let count = tasks.reduce(2) { max($0, $1.labels.count, $1.maximumLabel + 1) }
        if case .labels(let own) = known, own > count { return .labels(own) }
        return .labels(count)
    }

    /// Returns a teacher's head if labels are trained; otherwise nil.
    ///
    /// - Throws: `ModelFileError` if the teacher has no head for these labels.
    func head(of teacher: OpenedModel) throws -> Classifier? {
        guard let head else { return nil }
        let classifier = try teacher.checkpoint.classifier()
        guard classifier?.kind == head else {
            throw Self.refusal(of: teacher, "its head does not fit the task")
        }
        return classifier
    }

    /// Returns the error for a teacher that does not suit the student.
    static func refusal(of teacher: OpenedModel, _ problem: String) -> ModelFileError {
        ModelFileError(
            file: teacher.location.path, problem: problem,
            remedy: "name the model that the student was pruned from, trained for the task")
    }

    /// Returns the error for a score or a loss that is NaN or infinite.
    static func noNumber(
        of model: OpenedModel, _ subject: String, _ measure: String, steps: Int
    ) -> ModelFileError {
        ModelFileError(
            file: model.location.path, subject: subject,
            problem: "\(measure): NaN or infinity" + (steps > 0 ? " after \(steps) steps" : ""),
            remedy: steps > 0
                ? "try a lower --rate, with --restart or another -o"
                : "the model may be damaged: check it with `espalier evaluate`")
    }

    /// Evaluates a model on the evaluation set.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - classifier: The model's head, if it has one.
    ///   - teacher: The model whose vectors an encoder's vectors are compared with; nil for the
    ///     model itself.
    ///   - opened: The files that the model comes from.
    ///   - steps: The number of steps that the model was trained for.
    ///   - engine: The engine that runs the model.
    ///   - title: The title of the stage.
    /// - Returns: The score.
    /// - Throws: `ModelFileError` if the score is not finite, or `CancellationError`.
    func evaluate(
        _ model: Model, _ classifier: Classifier?, against teacher: Model?,
        of opened: OpenedModel, after steps: Int = 0, engine: Engine, _ title: String
    ) throws -> HeldOutScore {
        do {
            let score = try measure(
                model, classifier, against: teacher, of: opened, engine: engine, title)
            try NonFiniteError.check(score.value, "the \(score.measure)")
            return score
        } catch let error as NonFiniteError {
            throw Self.noNumber(of: opened, title, error.place, steps: steps)
        }
    }

    private func measure(
        _ model: Model, _ classifier: Classifier?, against teacher: Model?,
        of opened: OpenedModel, engine: Engine, _ title: String
    ) throws -> HeldOutScore {
        let (total, unit) =
            switch heldOut {
            case .text(let windows): (windows.count, "windows")
            case .sentences(let sentences): (sentences.count, "sentences")
            case .task(let task): (task.items.count, "items")
            }
        return try opened.progress.counting(title, total: total, unit: unit) { advance in
            switch heldOut {
            case .text(let windows):
                let quality = try DecoderQuality(
                    of: model, against: nil, on: windows, engine: engine, progress: advance)
                return HeldOutScore(measure: "perplexity", value: quality.perplexity)
            case .sentences(let sentences):
                let quality = try EncoderQuality(
                    of: model, against: teacher ?? model, on: sentences, engine: engine,
                    progress: advance)
                return HeldOutScore(measure: "cosine distance", value: quality.meanCosineDistance)
            case .task(let task):
                let result = try task.run(
                    model, classifier: classifier, tokenizer: try opened.checkpoint.tokenizer(),
                    engine: engine
                ) { try advance(Int(($0 * Double(total)).rounded())) }
                return HeldOutScore(measure: result.metric, value: result.value)
            }
        }
    }
}

extension TaskItem {
    /// Returns the item as training data.
    ///
    /// A passage is cut into windows. An item without a label is not used.
    fileprivate func examples(_ tokenizer: some Tokenizer, most: Int) -> [LabelledSequence] {
        if case .question(_, let answers, let reading?) = self {
            return reading.examples(answers, by: tokenizer, most: most).map { window, first, last in
                LabelledSequence(
                    ids: window.ids, typeIDs: window.typeIDs,
                    label: .span(first: first, last: last))
            }
        }
        guard let (ids, typeIDs) = encoded(by: tokenizer, most: most) else { return [] }
        switch self {
        case .labelled(_, _, _, let label):
            return [LabelledSequence(ids: ids, typeIDs: typeIDs, label: .category(label))]
        case .similarity(_, _, let score):
            return [LabelledSequence(ids: ids, typeIDs: typeIDs, label: .score(Float(score)))]
        default: return []
        }
    }
}
