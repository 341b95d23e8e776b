internal import ContextualSparsity
internal import ModelFiles
internal import Profiling
internal import Pruning
public import Reporting
public import Tensors
internal import Transformers

/// The options of a ``SparsifyJob``.
public struct SparsifyOptions: JobOptions {
    /// The methods that select the neurons that a token needs.
    public enum Predictor: String, CaseIterable, Sendable {
        /// The best of ``coarse``, ``trained`` and ``value``, as the search finds it.
        case any
        /// Selects by scores that are computed with the weights in 4 bits.
        case coarse
        /// Selects by the outputs of the gates.
        case gate
        /// Selects by a trained low-rank predictor.
        ///
        /// In attention blocks it selects heads.
        case trained
        /// Selects by a trained low-rank predictor that reads the inputs of the previous layer.
        case ahead
        /// Selects by value: all neurons are computed, and neurons with small values are not added.
        ///
        /// In attention it selects inputs.
        case value

        /// Whether the predictor has a rank.
        var isTrained: Bool { self == .trained || self == .ahead }

        /// The methods that the search may choose from.
        func choices(ranks: [Int]) -> [NeuronChoice] {
            switch self {
            case .any: [.coarse, .computed] + ranks.map(NeuronChoice.lowRank)
            case .coarse: [.coarse]
            case .gate: [.gate]
            case .trained: ranks.map(NeuronChoice.lowRank)
            case .ahead: ranks.map(NeuronChoice.lookAhead)
            case .value: [.computed]
            }
        }
    }

    /// The model, a decoder: a path or a hub id.
    public var model: String
    /// A file of plain text that is similar to the text that the model will process.
    ///
    /// One half is for calibration, the other for evaluation.
    public var text: String
    /// The directory to which the model is written.
    public var output: String
    /// The maximum fraction by which perplexity may rise.
    public var cost = 0.02
    /// The required speedup over the dense model; nil for the highest that ``cost`` allows.
    public var speedup: Double?
    /// The directory of a prune of this model; if given, the search may also remove its units
    /// permanently.
    public var prune: String?
    /// The fraction of neurons that is computed, the same in every layer; nil to search for it.
    public var density: Double?
    /// The method that selects neurons.
    public var predictor = Predictor.any
    /// The ranks of trained predictors, of which the search chooses one for each layer; 64 if
    /// empty.
    public var ranks: [Int] = []
    /// The number of sequences that are decoded together.
    public var batch = 1
    /// The number of cached tokens in a timed decode step.
    public var context = 256
    /// The number of tokens of the text that are used.
    public var tokens = 8192
    /// The maximum time for each measurement, in seconds.
    public var seconds = 10.0
    /// The precision in which weights are stored and products are computed.
    public var precision = Precision.f32
    /// The number of threads.
    public var threads = EnvironmentOptions.defaultThreads

    /// Options with defaults.
    public init(_ model: String, text: String, output: String) {
        (self.model, self.text, self.output) = (model, text, output)
    }

    /// Refuses options that contradict each other.
    ///
    /// - Throws: ``InvalidOptions``.
    public func check() throws(InvalidOptions) {
        guard density == nil || prune == nil else {
            throw InvalidOptions(
                "--prune needs a search, which --density replaces: give only one of them")
        }
        guard density == nil || ranks.isEmpty || ranks.count == 1 && predictor.isTrained else {
            throw InvalidOptions(
                "with --density give at most one --rank, and only for --predictor trained or ahead")
        }
    }
}

/// Lets a decoder compute only what each token needs.
///
/// The model is written with `contextual.json` and `contextual.safetensors`. This library applies
/// them when it runs the model.
public typealias SparsifyJob = Job<SparsifyOptions>

extension SparsifyJob {
    /// Searches, measures, and writes the model.
    ///
    /// - Returns: The measurements.
    /// - Throws: `ModelFileError`, also if the speedup is not reached, or `CancellationError`.
    public func run() throws -> SparsityReport {
        let (output, context, speedup) = (options.output, options.context, options.speedup)
        try requireAbsent(output)
        let opened = try OpenedModel(options.model, progress: progress)
        try HuggingFaceDirectory.check(opened.checkpoint)
        let windows = try windows(for: opened)
        let stream = windows.flatMap(\.self)
        var run = try SparsifyRun(
            opened,
            in: InferenceEnvironment(
                phase: .decode, batch: options.batch, sequence: context,
                threads: options.threads, precision: options.precision, runtime: "espalier"),
            request: SparsifyRun.Request(
                cost: options.cost, speedup: speedup, density: options.density,
                choices: options.predictor.choices(
                    ranks: options.ranks.isEmpty ? [64] : options.ranks),
                seconds: options.seconds, prune: options.prune),
            windows: windows,
            decoded: Array(stream.prefix(min(context + 64, opened.shape.maximumPositions))))
        let (found, report) = try run.run()
        let reached = report.best?.speedup ?? 1
        if let speedup, reached < speedup {
            throw ModelFileError(
                file: opened.location.path, subject: "--speedup",
                problem: "\(Figures.ratio(speedup)) cannot be reached: at a cost of at most "
                    + "\(Figures.percent(options.cost)) the speedup is \(Figures.ratio(reached))",
                remedy: "allow a greater --cost, or prune first")
        }
        try progress.stage("Writing \(output)") {
            try HuggingFaceDirectory.write(
                found.weights, like: opened.checkpoint, to: output, progress: progress.check)
            try ContextualFile.write(found.plan, to: output)
            try AtomicFile.write(report.html.utf8, to: output + "/sparsity.html")
        }
        progress.remark(DiskUse.sentence(on: opened.location, to: output))
        return report
    }

    /// Returns the text cut into windows, after checks that the text is long enough and that the
    /// model is suitable.
    private func windows(for opened: OpenedModel) throws -> [[Int32]] {
        let context = options.context
        guard options.predictor != .gate || opened.shape.architecture.layer.isGated else {
            throw ModelFileError(
                file: opened.location.path, subject: "--predictor",
                problem: "the model's feed-forward blocks have no gate to select neurons",
                remedy: "use coarse, trained or value, or leave out --predictor")
        }
        let windows = try opened.windows(
            ofText: options.text, tokens: options.tokens,
            length: min(512, opened.shape.maximumPositions), encoderRemedy: "name a decoder")
        guard context < opened.shape.maximumPositions else {
            throw ModelFileError(
                file: opened.location.path, subject: "--sequence",
                problem: "a context of \(context) tokens is too long for the model's "
                    + "\(opened.shape.maximumPositions) positions",
                remedy: "give a shorter --sequence")
        }
        let count = windows.reduce(0) { $0 + $1.count }
        guard windows.count > 1, count > context + 1 else {
            throw ModelFileError(
                file: options.text, subject: "--text",
                problem: "it has \(count) tokens, too few to calibrate and to decode after a "
                    + "context of \(context)",
                remedy: "give a longer text, or a shorter --sequence")
        }
        return windows
    }
}
