internal import Evaluation
internal import ModelFiles
internal import Pruning
internal import Tensors
internal import Transformers

/// The options of a ``LayerDropJob``.
public struct LayerDropOptions: JobOptions {
    /// The methods of choosing layers.
    public enum Strategy: String, CaseIterable, Sendable {
        /// Keeps layers at equal distances.
        case everyOther = "every-other"
        /// Repeatedly drops the layer whose removal causes the lowest loss on a text.
        case search
        /// Evaluates random choices, the same number as ``search``; layers of good choices become
        /// more probable.
        case learned
    }

    /// The model: a path or a hub id.
    public var model: String
    /// The number of layers to keep.
    public var count: Int
    /// The directory to which the model is written.
    public var output: String
    /// The method of choosing layers.
    public var strategy = Strategy.everyOther
    /// The file of text that ``Strategy/search`` and ``Strategy/learned`` measure the loss on.
    public var text: String?
    /// The number of tokens of the text that are used.
    public var tokens = 4096
    /// The seed of the choices of ``Strategy/learned``.
    public var seed: UInt64 = 1
    /// The number of threads.
    public var threads = EnvironmentOptions.defaultThreads

    /// Options with defaults.
    public init(_ model: String, keeping count: Int, output: String) {
        (self.model, self.count, self.output) = (model, count, output)
    }

    /// Refuses options that contradict each other.
    ///
    /// - Throws: ``InvalidOptions``.
    public func check() throws(InvalidOptions) {
        guard strategy == .everyOther || text != nil else {
            throw InvalidOptions(
                "--strategy \(strategy.rawValue) needs --text to measure the loss on")
        }
    }
}

/// Extracts a model of fewer layers from a model that was trained with LayerDrop.
public typealias LayerDropJob = Job<LayerDropOptions>

extension LayerDropJob {
    /// Chooses layers, and writes the model with only these layers.
    ///
    /// - Returns: The layers that are kept, in ascending order.
    /// - Throws: `ModelFileError`, or `CancellationError`.
    @discardableResult
    public func run() throws -> [Int] {
        let (count, output) = (options.count, options.output)
        try requireAbsent(output)
        let opened = try OpenedModel(options.model, progress: progress)
        try HuggingFaceDirectory.check(opened.checkpoint)
        let layers = opened.shape.layers.count
        guard count <= layers else {
            throw ModelFileError(
                file: opened.location.path, subject: "num_hidden_layers",
                problem: "it has \(layers) layers, fewer than --keep \(count)",
                remedy: "give --keep a number of at most \(layers)")
        }
        let kept =
            switch options.strategy {
            case .everyOther: LayerSelection.everyOther(count, of: layers)
            case .search, .learned: try evaluating(opened)
            }
        try progress.stage("Writing \(output)") {
            try HuggingFaceDirectory.write(
                KeptLayers(opened.checkpoint, layers: kept), like: opened.checkpoint, to: output,
                progress: progress.check)
        }
        progress.remark(DiskUse.sentence(on: opened.location, to: output))
        return kept
    }

    /// Chooses layers by the loss of models on a text.
    private func evaluating(_ opened: OpenedModel) throws -> [Int] {
        let path = options.text ?? ""
        let text = try opened.windows(
            ofText: path, tokens: options.tokens, length: 512,
            encoderRemedy: "use --strategy every-other")
        try requireEnough(text, of: path)
        let (model, engine) = (try opened.packed(in: .f32), Engine(threads: options.threads))
        let trials = LayerSelection.trials(options.count, of: opened.shape.layers.count)
        func loss(_ model: Model) throws -> Double {
            try DecoderQuality(
                of: model, against: nil, on: text, engine: engine, progress: progress.check
            ).meanNLL
        }
        return try progress.counting(
            "Choosing layers", total: trials, unit: "models"
        ) { advance in
            options.strategy == .search
                ? try LayerSelection.search(
                    options.count, of: model, loss: loss, progress: advance)
                : try LayerSelection.learned(
                    options.count, of: model, draws: trials, seed: options.seed, loss: loss,
                    progress: advance)
        }
    }
}
