internal import ContextualSparsity
internal import ModelFiles
internal import Profiling
internal import Pruning
public import Reporting
public import Tensors
internal import Transformers

/// What is asked of a ``SparsifyJob``.
public struct SparsifyOptions: Sendable {
    /// How the neurons that a token needs may be found.
    public enum Predictor: String, CaseIterable, Sendable {
        /// What the search finds best of ``coarse``, ``trained`` and ``value``.
        case any
        /// By their weights in 4 bits.
        case coarse
        /// By their gates.
        case gate
        /// By a predictor of low rank that is trained on the text; of attention it picks heads.
        case trained
        /// By such a predictor of what enters the layer before.
        case ahead
        /// By what they would add, when they are computed; of attention it picks its inputs.
        case value

        /// Whether predictors have a rank.
        var isTrained: Bool { self == .trained || self == .ahead }

        /// What the search may choose from.
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
    /// A file of plain text like what the model will see.
    ///
    /// Half of it serves to calibrate, the other half to evaluate.
    public var text: String
    /// The directory of the model.
    public var output: String
    /// The fraction by which perplexity may rise.
    public var cost = 0.02
    /// How many times faster than dense to become; nil for as fast as ``cost`` allows.
    public var speedup: Double?
    /// The directory of a prune of this model, whose units may then be removed for good too.
    public var prune: String?
    /// The fraction of neurons that is computed, the same in every layer; nil to search for it.
    public var density: Double?
    /// How neurons may be found.
    public var predictor = Predictor.any
    /// The ranks of trained predictors, of which the search chooses for each layer; 64 if empty.
    public var ranks: [Int] = []
    /// How many sequences are decoded together.
    public var batch = 1
    /// The cached context of a timed decode step.
    public var context = 256
    /// How many tokens of the text.
    public var tokens = 8192
    /// The maximum time for each measurement.
    public var seconds = 10.0
    /// How weights are stored and products computed.
    public var precision = Precision.f32
    /// How many threads compute.
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
            throw InvalidOptions("--density leaves nothing to search for --prune to go with")
        }
        guard density == nil || ranks.isEmpty || ranks.count == 1 && predictor.isTrained else {
            throw InvalidOptions(
                "with --density give one --rank, and --predictor trained or ahead that has it")
        }
    }
}

/// Lets a decoder compute only what each token needs.
///
/// The model is written with `contextual.json` and `contextual.safetensors`, which this library
/// follows when it runs the model.
public struct SparsifyJob {
    private let options: SparsifyOptions
    private let progress: any JobProgress

    /// Prepares the job.
    ///
    /// - Parameters:
    ///   - options: What is asked.
    ///   - progress: Shows how far it is.
    /// - Throws: ``InvalidOptions``.
    public init(
        _ options: SparsifyOptions, progress: any JobProgress = SilentProgress()
    ) throws(InvalidOptions) {
        try options.check()
        (self.options, self.progress) = (options, progress)
    }

    /// Searches, measures, and writes the model.
    ///
    /// - Returns: What was measured.
    /// - Throws: `ModelFileError` also where the speedup is not reached, or `CancellationError`.
    public func run() throws -> SparsityReport {
        let (output, context, speedup) = (options.output, options.context, options.speedup)
        try requireAbsent(output)
        let opened = try OpenedModel(options.model, progress: progress)
        try HuggingFaceDirectory.check(opened.checkpoint)
        let windows = try windows(for: opened)
        let stream = windows.flatMap(\.self)
        var run = try SparsifyRun(
            opened,
            in: Environment(
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
                problem: "\(Figures.ratio(speedup)) is not reached: at a cost of at most "
                    + "\(Figures.percent(options.cost)) it is \(Figures.ratio(reached))",
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

    /// The text in windows, if it and the model are enough.
    private func windows(for opened: OpenedModel) throws -> [[Int32]] {
        let context = options.context
        guard options.predictor != .gate || opened.shape.architecture.layer.isGated else {
            throw ModelFileError(
                file: opened.location.path, subject: "--predictor",
                problem: "the model's feed-forward blocks have no gate to tell neurons by",
                remedy: "leave the choice to the search, or use coarse, trained or value")
        }
        let windows = try opened.windows(
            ofText: options.text, tokens: options.tokens,
            length: min(512, opened.shape.maximumPositions), encoderRemedy: "name a decoder")
        guard context < opened.shape.maximumPositions else {
            throw ModelFileError(
                file: opened.location.path, subject: "--sequence",
                problem: "a context of \(context) leaves no room in the model's "
                    + "\(opened.shape.maximumPositions) positions",
                remedy: "give a shorter --sequence")
        }
        let count = windows.reduce(0) { $0 + $1.count }
        guard windows.count > 1, count > context + 1 else {
            throw ModelFileError(
                file: options.text, subject: "--text",
                problem: "it holds \(count) tokens, too few to calibrate and to decode "
                    + "behind \(context)",
                remedy: "give a longer text, or a shorter --sequence")
        }
        return windows
    }
}
