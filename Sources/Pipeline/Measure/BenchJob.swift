internal import ModelFiles
internal import Profiling
public import Tensors
internal import Transformers

/// The options of a ``BenchJob``.
public struct BenchOptions: Sendable {
    /// The model: a path or a hub id.
    public var model: String
    /// The reference model, which gets the same input; nil for none.
    public var dense: String?
    /// The precision of the reference model; nil for the precision of ``environment``.
    public var densePrecision: Precision?
    /// The conditions of timing.
    public var environment = EnvironmentOptions()
    /// A file of plain text to decode.
    ///
    /// A model of contextual sparsity needs it, because the time of its steps depends on the text.
    public var text: String?
    /// The maximum time to measure, in seconds.
    public var seconds = 20.0
    /// Whether the machine's limits are measured too.
    public var measuresLimits = false

    /// Options with defaults for a model.
    public init(_ model: String) { self.model = model }

    /// Refuses options that contradict each other.
    ///
    /// - Throws: ``InvalidOptions``.
    public func check() throws(InvalidOptions) {
        guard densePrecision == nil || dense != nil else {
            throw InvalidOptions("--against-precision needs --against MODEL")
        }
    }
}

/// Measures the speed of a model, alone or compared with a reference model.
///
/// Two models are timed alternately, so that disturbances of the machine affect both.
public struct BenchJob {
    private let options: BenchOptions
    private let progress: any JobProgress
    private let environment: InferenceEnvironment
    private let loaded: LoadedModel
    private let other: OtherRuntime?

    /// Reads the model.
    ///
    /// - Parameters:
    ///   - options: The options of the job.
    ///   - progress: Shows the progress and can stop the job.
    /// - Throws: ``InvalidOptions``, `ModelFileError`, `ProfileError`, or `CancellationError`.
    public init(_ options: BenchOptions, progress: any JobProgress = SilentProgress()) throws {
        try options.check()
        (self.options, self.progress) = (options, progress)
        let opened = try OpenedModel(options.model, progress: progress)
        environment = try options.environment.environment(
            for: opened.shape, adding: options.measuresLimits ? MachineLimits.probeBytes : 0)
        loaded = LoadedModel(
            opened, model: try opened.contextual(in: options.environment.precision))
        other = try OtherRuntime(environment, progress: progress)
        if other != nil, options.measuresLimits { throw Self.isOfBuiltIn }
        if other != nil, options.densePrecision != nil {
            throw InvalidOptions(
                "only the built-in runtime has --against-precision: remove it or --runtime")
        }
    }

    private static let isOfBuiltIn = InvalidOptions(
        "only the built-in runtime has --serve and --limits: remove them or --runtime")

    /// Prepares a server that times the model on each request.
    ///
    /// - Returns: The server.
    /// - Throws: ``InvalidOptions`` for another runtime, or the errors of reading a text.
    package func server() throws -> TimingServer {
        if other != nil { throw Self.isOfBuiltIn }
        return try TimingServer(
            loaded.model, in: environment, text: try decodedText([loaded]), progress: progress)
    }

    /// Measures the speed.
    ///
    /// - Returns: The measurements, and the names of the model and the reference model.
    /// - Throws: `ModelFileError`, `ProfileError`, or `CancellationError`.
    public func run() throws -> (answer: BenchAnswer, names: [String]) {
        var conditions = environment
        if options.dense != nil, let precision = options.densePrecision {
            conditions.precision = precision
        }
        let reference = try options.dense.map {
            try LoadedModel($0, precision: conditions.precision, progress: progress)
        }
        if let reference {
            try loaded.check(against: reference)
            try environment.check(against: reference.model.shape)
        }
        let engine = Engine(threads: environment.threads)
        var answer = BenchAnswer(environment)
        answer.formats = loaded.checkpoint.formats
        if conditions.precision != environment.precision {
            answer.densePrecision = conditions.precision
        }
        if let other {
            var watch = try other.stopwatch(against: (reference ?? loaded).opened)
            let files = try reference == nil ? watch.dense : other.emit(loaded.opened)
            try measure(files, with: &watch, into: &answer)
        } else {
            var watch = try Workload(
                conditions, model: (reference ?? loaded).model,
                text: try decodedText([loaded, reference].compactMap(\.self)), engine: engine)
            try measure(loaded.model, with: &watch, into: &answer)
        }
        if options.measuresLimits {
            answer.limits = try progress.stage("Measuring the machine's limits") {
                try LimitsAnswer(
                    of: loaded.model, in: environment, on: engine,
                    tick: progress.checkCancellation)
            }
        }
        return (answer, [loaded, reference].compactMap { $0?.location.name })
    }

    /// Returns the tokens to decode after the context.
    ///
    /// It returns none if the user gave no text and the time does not depend on the text.
    private func decodedText(_ models: [LoadedModel]) throws -> [Int32] {
        guard environment.phase == .decode else { return [] }
        let minimum = environment.sequence + 1
        guard let text = options.text else {
            guard
                let contextual = models.first(where: {
                    $0.model.contextualSequences >= environment.batch
                })
            else { return [] }
            throw ModelFileError(
                file: contextual.location.path, subject: "contextual.json",
                problem: "the time of a step depends on the text",
                remedy: "give --text with more than \(environment.sequence) tokens")
        }
        let tokens =
            try models[0].opened.windows(
                ofText: text, tokens: minimum + 63, length: minimum + 63,
                encoderRemedy: "name a decoder"
            ).first ?? []
        guard tokens.count >= minimum else {
            throw ModelFileError(
                file: text, subject: "--text", problem: "it has only \(tokens.count) tokens",
                remedy: "give a text of more than \(environment.sequence) tokens, the context")
        }
        return tokens
    }

    /// Times a model, against the reference model if the user named one.
    private func measure<Watch: Stopwatch>(
        _ subject: Watch.Subject, with watch: inout Watch, into answer: inout BenchAnswer
    ) throws {
        let title = options.dense == nil ? "Measuring" : "Measuring both models"
        try progress.stage(title) {
            guard options.dense != nil else {
                return try answer.time(
                    subject, with: &watch, timeLimit: options.seconds,
                    tick: progress.checkCancellation)
            }
            answer.add(
                try Comparison(
                    subject, with: &watch, timeLimit: options.seconds, tick: progress.check))
        }
    }
}

extension LoadedModel {
    /// Checks that two models can do the same work, as a pruned model and its original can.
    ///
    /// - Throws: `ModelFileError` with the size that differs.
    fileprivate func check(against other: LoadedModel) throws(ModelFileError) {
        let (mine, its) = (model.shape, other.model.shape)
        let sizes: [(String, String, String)] = [
            ("architecture", mine.architecture.name, its.architecture.name),
            ("head dimension", "\(mine.headDimension)", "\(its.headDimension)"),
            ("vocabulary", "\(mine.vocabularySize)", "\(its.vocabularySize)"),
        ]
        for (name, left, right) in sizes where left != right {
            throw ModelFileError(
                file: location.path, subject: name,
                problem: "it is \(left), but in \(other.location.path) it is \(right)",
                remedy: "give --against the model that this one was pruned from")
        }
    }
}
