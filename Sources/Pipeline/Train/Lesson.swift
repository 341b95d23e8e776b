internal import Evaluation
internal import Foundation
internal import ModelFiles
internal import Tensors
internal import Tokenizers
internal import Training
internal import Transformers

/// How good a model is by what was held out.
struct Judgement: Codable {
    let measure: String
    let value: Double
}

/// What a model is to learn, and what it is judged by.
struct Lesson {
    let data: TrainingData
    /// What a head is to say; nil where there is none.
    let head: Classifier.Kind?

    private let heldOut: HeldOut

    private enum HeldOut {
        case text([[Int32]])
        /// Whose vectors are compared with the teacher's.
        case sentences([[Int32]])
        case task(Evaluation.Task)
    }

    /// Tokens, or items of a task.
    var heldOutCount: Int {
        switch heldOut {
        case .text(let windows), .sentences(let windows): windows.reduce(0) { $0 + $1.count }
        case .task(let task): task.items.count
        }
    }

    /// The most windows of text that are held out where none are given: enough to judge by.
    private static let mostHeldOut = 512

    /// Reads the files.
    ///
    /// - Parameters:
    ///   - options: What is learnt.
    ///   - model: What learns.
    ///   - store: Where the tokens of texts go, if they are not there yet.
    /// - Throws: `ModelFileError` where they are nothing for the model, or too little.
    init(_ options: FinetuneOptions, for model: OpenedModel, in store: String) throws {
        let isEncoder = model.shape.architecture.isEncoder
        func refuse(_ problem: String, _ remedy: String) -> ModelFileError {
            ModelFileError(file: model.location.path, problem: problem, remedy: remedy)
        }
        if !isEncoder, options.task != nil {
            throw refuse("a decoder has no labels", "name an encoder")
        }
        if isEncoder, options.task == nil, options.teacher == nil {
            throw refuse("an encoder foretells no text", "name a decoder, or give --task")
        }
        if isEncoder, options.teacher?.onPolicyShare ?? 0 > 0 {
            throw refuse("an encoder writes no text", "leave out --on-policy")
        }
        if isEncoder, options.task == nil, options.teacher?.correctionSteps != nil {
            throw refuse("an encoder is adapted to tasks alone", "leave out --teacher-steps")
        }
        let tokenizer = try model.checkpoint.tokenizer()
        if let path = options.task {
            (data, head, heldOut) = try Self.task(
                path, options.validation, tokenizer, most: model.shape.maximumPositions,
                known: try model.checkpoint.classifier()?.kind)
        } else {
            let reader = TrainingText(
                tokenizer: tokenizer, length: min(options.length, model.shape.maximumPositions))
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
            var apart: [TextSequence] = []
            if let path = options.validation {
                try visit([path]) { apart.append($0) }
            }
            let count =
                options.validation == nil ? min(max(1, all.count / 20), Self.mostHeldOut) : 0
            guard all.count > count, count + apart.count > 0 else {
                throw ModelFileError(
                    file: (options.text + [options.validation].compactMap(\.self))
                        .joined(separator: ", "),
                    problem: "it is too short to train on and to judge by",
                    remedy: "give more text, or windows of fewer tokens")
            }
            let judged = (apart + (try all.removeLast(count))).map(\.ids)
            data = .stored(all)
            heldOut = isEncoder ? .sentences(judged) : .text(judged)
            head = nil
        }
    }

    private static func task(
        _ path: String, _ validation: String?, _ tokenizer: some Tokenizer, most: Int,
        known: Classifier.Kind?
    ) throws -> (TrainingData, Classifier.Kind, HeldOut) {
        let task = try TaskFile.read(path)
        let apart = try validation.map { try TaskFile.read($0) }
        var items = task.items
        let judged = apart?.items ?? items.suffix(max(1, items.count / 20))
        if apart == nil { items.removeLast(judged.count) }
        let examples = items.flatMap { $0.examples(tokenizer, most: most) }
        if let validation, apart?.kind != task.kind {
            throw ModelFileError(
                file: validation, problem: "its items are of another kind than those of \(path)",
                remedy: "give items of one kind to train on and to judge by")
        }
        guard !examples.isEmpty else {
            throw ModelFileError(
                file: path, problem: "it has nothing that an encoder's head learns, or too little",
                remedy: "give lines of text and label, of first, second and score, or of "
                    + "question, passage and answers that stand in it")
        }
        let head: Classifier.Kind =
            switch task.kind {
            case .similarity: .labels(1)
            case .questions: .spans
            default: labels(of: [task] + [apart].compactMap(\.self), known: known)
            }
        return (.labelled(examples), head, .task(task.asking(judged)))
    }

    /// A head for the labels that tasks name or have, at least two: as the model has it, where that
    /// is enough.
    private static func labels(
        of tasks: [Evaluation.Task], known: Classifier.Kind?
    ) -> Classifier.Kind {
        let count = tasks.reduce(2) { max($0, $1.labels.count, $1.greatestLabel + 1) }
        if case .labels(let own) = known, own > count { return .labels(own) }
        return .labels(count)
    }

    /// A teacher's head, where labels are learnt.
    ///
    /// - Throws: `ModelFileError` where it has none for them.
    func head(of teacher: OpenedModel) throws -> Classifier? {
        guard let head else { return nil }
        let classifier = try teacher.checkpoint.classifier()
        guard classifier?.kind == head else {
            throw Self.refusal(of: teacher, "its head is not for the task")
        }
        return classifier
    }

    /// Why a teacher cannot be learnt from.
    static func refusal(of teacher: OpenedModel, _ problem: String) -> ModelFileError {
        ModelFileError(
            file: teacher.location.path, problem: problem,
            remedy: "name the model that the student was pruned from, trained for the task")
    }

    /// The error of a measure that is no number, after steps of training or before any.
    static func noNumber(
        of model: OpenedModel, _ subject: String, _ measure: String, steps: Int
    ) -> ModelFileError {
        ModelFileError(
            file: model.location.path, subject: subject,
            problem: "\(measure): NaN or infinity" + (steps > 0 ? " after \(steps) steps" : ""),
            remedy: steps > 0
                ? "try a lower --rate, with --restart or another -o"
                : "the model may be damaged: see what `espalier evaluate` finds")
    }

    /// Judges a model by what was held out.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - classifier: Its head, if it has one.
    ///   - teacher: What an encoder's vectors are compared with.
    ///   - opened: The files that the model comes from.
    ///   - steps: How many steps it was trained.
    ///   - engine: What to run on.
    ///   - title: What is shown meanwhile.
    /// - Returns: What was found.
    /// - Throws: `ModelFileError` where that is no number, `CancellationError`.
    func judge(
        _ model: Model, _ classifier: Classifier?, beside teacher: Model?,
        of opened: OpenedModel, after steps: Int = 0, engine: Engine, _ title: String
    ) throws -> Judgement {
        do {
            let judgement = try measure(
                model, classifier, beside: teacher, of: opened, engine: engine, title)
            try NonFiniteError.check(judgement.value, "the \(judgement.measure)")
            return judgement
        } catch let error as NonFiniteError {
            throw Self.noNumber(of: opened, title, error.place, steps: steps)
        }
    }

    private func measure(
        _ model: Model, _ classifier: Classifier?, beside teacher: Model?,
        of opened: OpenedModel, engine: Engine, _ title: String
    ) throws -> Judgement {
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
                return Judgement(measure: "perplexity", value: quality.perplexity)
            case .sentences(let sentences):
                let quality = try EncoderQuality(
                    of: model, against: teacher ?? model, on: sentences, engine: engine,
                    progress: advance)
                return Judgement(measure: "cosine distance", value: quality.meanCosineDistance)
            case .task(let task):
                let result = try task.run(
                    model, classifier: classifier, tokenizer: try opened.checkpoint.tokenizer(),
                    engine: engine
                ) { try advance(Int(($0 * Double(total)).rounded())) }
                return Judgement(measure: result.metric, value: result.value)
            }
        }
    }
}

extension TaskItem {
    /// The item as a training has it, a passage in as many windows as it takes; nothing where it has
    /// no label.
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
