internal import Evaluation
internal import Foundation
internal import ModelFiles
internal import Pruning
public import Tensors
internal import Transformers

/// The options of an ``EvaluateJob``.
public struct EvaluateOptions: Sendable {
    /// The model: a path or a hub id.
    public var model: String
    /// The reference model, such as the dense one; nil for none.
    public var against: String?
    /// A file of plain text to predict, or of records with `text`.
    public var text: String?
    /// The number of tokens of a window, limited to the model's positions.
    public var window = 1024
    /// The maximum number of windows, counted from the first; nil for all.
    public var windows: Int?
    /// The number of windows whose beginnings a decoder continues.
    public var samples = 0
    /// Files of tasks.
    public var tasks: [String] = []
    /// The number of items of each task, counted from the first; nil for all.
    public var items: Int?
    /// The number of first items of a task that become examples: these items and their answers
    /// precede every other item.
    public var shots = 0
    /// The judge of summaries and conversations, which compares the answers of the model and of the
    /// reference model: `command:` and a shell command; nil for none.
    public var judge: String?
    /// The maximum number of seconds for one comparison of the judge.
    public var judgeSeconds = 120.0
    /// The suite of tasks; nil for none.
    public var suite: TaskSuite?
    /// The folder with the task files of the suite.
    public var suiteFolder: String?
    /// The number of threads.
    public var threads = EnvironmentOptions.defaultThreads
    /// The precision in which the model's weights are stored; the reference model is always in f32.
    public var precision = Precision.f32
    /// The JSON file for the token ids and the logits or hidden states of the first 64 tokens; nil
    /// for none.
    public var dump: String?

    /// Options with defaults for a model.
    public init(_ model: String) { self.model = model }

    /// Refuses options that contradict each other.
    ///
    /// - Throws: ``InvalidOptions``.
    public func check() throws(InvalidOptions) {
        guard text != nil || !tasks.isEmpty || suite != nil else {
            throw InvalidOptions("give --text, --task or --suite")
        }
        guard (suite == nil) == (suiteFolder == nil) else {
            throw InvalidOptions(
                "--suite and --suite-folder need each other; scripts/fetch-tasks makes the folder")
        }
        if let judge {
            guard Judge.isCommand(judge) else {
                throw InvalidOptions("--judge needs command:'…', a command that compares answers")
            }
            guard against != nil else {
                throw InvalidOptions("--judge needs --against, the model to compare with")
            }
        }
        guard text != nil || dump == nil && samples == 0 else {
            throw InvalidOptions("--dump and --samples need --text")
        }
    }
}

/// Measures how well a model predicts text and solves tasks, and how close it is to a reference.
public struct EvaluateJob {
    private let options: EvaluateOptions
    private let progress: any JobProgress
    private let engine: Engine

    /// Prepares an evaluation.
    ///
    /// - Parameters:
    ///   - options: The options of the job.
    ///   - progress: Shows the progress and can stop the job.
    /// - Throws: ``InvalidOptions``.
    public init(
        _ options: EvaluateOptions, progress: any JobProgress = SilentProgress()
    ) throws(InvalidOptions) {
        try options.check()
        (self.options, self.progress) = (options, progress)
        engine = Engine(threads: options.threads)
    }

    /// Evaluates the model.
    ///
    /// - Returns: The measurements.
    /// - Throws: `ModelFileError`, `NonFiniteError`, ``InvalidOptions`` if an encoder is
    ///   evaluated on a text without a reference model, or `CancellationError`.
    public func run() throws -> EvaluateAnswer {
        var tasks: [EvaluationTask] = []
        for path in options.tasks {
            let task = try TaskFile.read(path, limit: options.items, shots: options.shots)
            guard !tasks.contains(where: { $0.name == task.name }) else {
                throw ModelFileError(
                    file: path, problem: "another task has the same name, \"\(task.name)\"",
                    remedy: "give it another \"name\" in its first line, or rename the file")
            }
            tasks.append(task)
        }
        let suite = try options.suite.map {
            try $0.tasks(inFolder: options.suiteFolder ?? "", items: options.items)
        }
        let loaded = try LoadedModel(
            options.model, precision: options.precision, progress: progress)
        let reference = try reference(for: loaded)
        var answer = EvaluateAnswer()
        if let text = options.text {
            let sequences = try sequences(of: text, for: loaded)
            if let dump = options.dump { try write(loaded, sequences[0], to: dump) }
            answer = try evaluate(loaded, reference?.model, sequences)
            answer.samples = try generations(loaded, reference?.model, sequences)
        }
        for task in suite ?? [] where !tasks.contains(where: { $0.name == task.name }) {
            if try loaded.canRun(task) { tasks.append(task) } else { answer.skip(task.name) }
        }
        for task in tasks {
            let result = try loaded.ask(task, on: engine)
            let other = try reference?.ask(task, on: engine)
            answer.tasks[task.name] = TaskAnswer(
                result, against: other,
                perplexity: try reference.flatMap {
                    try result.perplexity(to: $0.model, on: engine)
                }, judgement: try judgement(of: task, result, other))
        }
        return answer
    }

    /// Returns the judge's verdicts on generated texts; nil without a judge.
    private func judgement(
        of task: EvaluationTask, _ result: TaskResult, _ other: TaskResult?
    ) throws -> Judgement? {
        guard let command = options.judge, [.summaries, .conversations].contains(task.kind),
            let own = result.answers, let answers = other?.answers
        else { return nil }
        let judge = try Judge(command, seconds: options.judgeSeconds)
        return try progress.counting(
            "\(task.name), judge", total: task.items.count, unit: "pairs"
        ) { advance in
            try Judgement(
                of: task.items, zip(own, answers).map { ($0, $1) }, by: judge, advance: advance)
        }
    }

    /// Returns the reference model in f32.
    ///
    /// If the user names no reference model, the result is the evaluated model in f32, or nil if
    /// the evaluation already uses f32.
    private func reference(for loaded: LoadedModel) throws -> LoadedModel? {
        let shape = loaded.model.shape
        let text = options.text
        guard let against = options.against else {
            if options.precision != .f32 {
                return LoadedModel(loaded.opened, model: try loaded.model(in: .f32))
            }
            guard !shape.architecture.isEncoder || text == nil else {
                throw InvalidOptions(
                    "an encoder does not predict text: give --against MODEL to compare the vectors")
            }
            return nil
        }
        let reference = try LoadedModel(against, progress: progress)
        let other = reference.model.shape
        let longest = min(
            shape.maximumPositions, options.tasks.isEmpty ? options.window : .max)
        guard other.maximumPositions >= longest else {
            throw ModelFileError(
                file: against,
                problem: "it has \(other.maximumPositions) positions, but the evaluation needs "
                    + "\(longest)",
                remedy: "give a smaller --window, or compare with the model that it was pruned from"
            )
        }
        guard other.architecture == shape.architecture,
            other.vocabularySize == shape.vocabularySize,
            other.hiddenSize == shape.hiddenSize || !shape.architecture.isEncoder || text == nil
        else {
            throw ModelFileError(
                file: against,
                problem: "its type, vocabulary or hidden size differs from the model's",
                remedy: "compare with the model that it was pruned from")
        }
        return reference
    }

    private func sequences(of text: String, for loaded: LoadedModel) throws -> [[Int32]] {
        let contents = try TextFile.contents(of: text).text
        let tokenizer = try loaded.checkpoint.tokenizer()
        let length = loaded.model.pooling.length(
            within: min(options.window, loaded.model.shape.maximumPositions))
        let all =
            !loaded.model.shape.architecture.isEncoder
            ? windows(
                of: tokenizer.encode(contents, addingSpecialTokens: false), length: length)
            : framedPieces(of: contents, tokenizer: tokenizer, length: length)
        try requireEnough(all, of: text)
        return Array(all.prefix(options.windows ?? all.count))
    }

    private func evaluate(
        _ loaded: LoadedModel, _ reference: Model?, _ sequences: [[Int32]]
    ) throws -> EvaluateAnswer {
        let tokens = sequences.reduce(0) { $0 + $1.count }
        return try progress.counting(
            "Evaluating", total: sequences.count, unit: "windows"
        ) { advance in
            guard !loaded.model.shape.architecture.isEncoder else {
                let quality = try EncoderQuality(
                    of: loaded.model, against: reference ?? loaded.model, on: sequences,
                    engine: engine, progress: advance)
                return EvaluateAnswer(
                    tokens: tokens, meanCosineDistance: quality.meanCosineDistance)
            }
            let quality = try DecoderQuality(
                of: loaded.model, against: reference.map { .model($0) }, on: sequences,
                engine: engine, progress: advance)
            return EvaluateAnswer(
                tokens: tokens, predictions: quality.predictions, perplexity: quality.perplexity,
                meanNLL: quality.meanNLL, kl: quality.kl, top1: quality.top1)
        }
    }

    /// Returns the texts with which both models continue the beginnings of windows.
    private func generations(
        _ loaded: LoadedModel, _ reference: Model?, _ sequences: [[Int32]]
    ) throws -> [EvaluateAnswer.Sample]? {
        guard options.samples > 0, !loaded.model.shape.architecture.isEncoder else { return nil }
        let tokenizer = try loaded.checkpoint.tokenizer()
        let prompts = sequences.prefix(options.samples).enumerated().map { index, sequence in
            let beginning = TextBeginning(
                of: sequence, startsText: index == 0, tokenizer: tokenizer)
            return beginning.prefix(48, tokenizer: tokenizer)
        }
        func texts(_ model: Model) throws -> [String] {
            try continuations(of: prompts, by: model, tokenizer: tokenizer, engine: engine)
        }
        let (own, other) = (try texts(loaded.model), try reference.map(texts))
        return prompts.indices.map {
            EvaluateAnswer.Sample(
                prompt: tokenizer.decode(prompts[$0]), text: own[$0], other: other?[$0])
        }
    }

    private func write(_ loaded: LoadedModel, _ sequence: [Int32], to path: String) throws {
        struct Dump: Encodable {
            let ids: [Int32]
            var logits: [[Float]]?
            var hidden: [[Float]]?
        }
        let ids = Array(sequence.prefix(64))
        var pass = ForwardPass(loaded.model, on: engine)
        var dump = Dump(ids: ids)
        if !loaded.model.shape.architecture.isEncoder {
            pass.logits(of: TokenBatch([ids])) { rows, logits in
                dump.logits = (0..<rows.count).map { Array(logits.row($0)) }
            }
        } else {
            let hidden = pass.hiddenStates(of: TokenBatch([ids]))
            dump.hidden = (0..<hidden.rows).map { Array(hidden.row($0)) }
        }
        try AtomicFile.write(try JSONEncoder().encode(dump), to: path)
    }
}
