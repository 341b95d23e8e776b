internal import CHost
internal import Evaluation
internal import ModelFiles
internal import Profiling
internal import Pruning
internal import Reporting
internal import Tensors
internal import Transformers

/// One prune from the dense model to the report; every stage writes its product to the directory.
final class PruneRun {
    let options: PruneOptions
    let progress: any JobProgress
    /// The model to prune.
    let dense: OpenedModel
    /// The model that speed and quality are measured against.
    ///
    /// It is the model to prune. In a gradual prune it is the model that the first round prunes.
    let reference: OpenedModel
    let environment: InferenceEnvironment
    /// The engine of all stages that do not measure time, on all CPUs.
    let engine: Engine
    /// The engine with the environment's number of threads.
    let timingEngine: Engine
    /// The runtime of the models; nil for the built-in one.
    let otherRuntime: OtherRuntime?
    let inputs: PruneInputs
    /// The calibration text; nil if the model will generate it.
    let givenText: CalibrationText?
    let directory: RunDirectory
    private var costs: [String: StageCost]
    private var packed: [Precision: Model] = [:]
    private var packedReference: Model?
    /// The first target whose model loses more quality than allowed.
    var refusal: QualityLimitError?
    /// The dense model's states on the evaluation sets, which are computed once for all models.
    var denseStates: [EvaluationSet: DecoderQuality.Reference] = [:]
    var cutSecondText: SecondText?

    init(_ options: PruneOptions, progress: any JobProgress) throws {
        (self.options, self.progress) = (options, progress)
        dense = try OpenedModel(options.model, progress: progress)
        reference =
            try options.reference.map { try OpenedModel($0, progress: progress) } ?? dense
        environment = try options.environment.environment(
            for: reference.shape, adding: options.profile == nil ? MachineLimits.probeBytes : 0)
        timingEngine = Engine(threads: environment.threads)
        engine = Engine(threads: max(environment.threads, EnvironmentOptions.defaultThreads))
        inputs = try PruneInputs(options, dense: dense, environment: environment)
        givenText = try inputs.text(options, dense: dense, environment: environment)
        directory = try RunDirectory(
            options.output, inputs: inputs.digests,
            reading: [dense.location.path, reference.location.path] + options.calibration
                + [options.profile, options.evaluation].compactMap(\.self),
            restarting: options.restarts)
        otherRuntime = try OtherRuntime(
            environment, folder: directory.product(Product.runtimeFiles), progress: progress)
        costs = directory.read([String: StageCost].self, "work/stages.json") ?? [:]
    }

    /// Returns the dense model, which is packed at the first call.
    func denseModel(in precision: Precision = .f32) throws -> Model {
        if let known = packed[precision] { return known }
        let model = try rounded(to: precision) ?? dense.packed(in: precision)
        packed[precision] = model
        return model
    }

    /// Returns the dense model with weights that are rounded on calibration text; nil for formats
    /// to which weights are rounded to nearest, and for the format that the user runs today.
    private func rounded(to format: Precision) throws -> Model? {
        guard format != environment.precision, options.rounding == .gptq,
            let grid = WeightGrid(roundingTo: format)
        else { return nil }
        let text = try calibrationText()
        let rounding = try LayerRounding(
            dense.checkpoint, to: grid,
            on: batches(of: text.spread(tokens: options.refitTokens), tokens: 2048),
            damping: options.damping, engine: engine)
        let layers = dense.shape.layers.count
        return try progress.counting(
            "Rounding to \(format.rawValue)", total: layers, unit: "layers"
        ) { advance in
            try Model(rounding, precision: format, progress: advance)
        }
    }

    /// Rounds the output head on calibration text, in those of some formats whose models have heads
    /// in another format.
    ///
    /// - Returns: The heads; empty for encoders, and if weights are rounded to nearest.
    func roundedHeads(_ formats: [Precision]) throws -> [Precision: CodedMatrix] {
        var heads: [Precision: CodedMatrix] = [:]
        guard !dense.shape.architecture.isEncoder, options.rounding == .gptq else { return heads }
        for format in formats where format.head != format {
            guard let grid = WeightGrid(roundingTo: format) else { continue }
            let weight = try denseHead()
            let sequences = try calibrationText().spread(tokens: Self.headTokens)
            let batches = batches(of: sequences, tokens: 2048)
            heads[format] = try progress.counting(
                "Rounding the output head", total: batches.count, unit: "batches"
            ) { advance in
                try HeadRounding.rounded(
                    weight, to: grid, inputsFrom: try denseModel(in: environment.precision),
                    on: batches, damping: options.damping, engine: engine, progress: advance)
            }
        }
        return heads
    }

    /// Reads the weight of the output head, which may be the token embedding.
    func denseHead() throws -> Matrix<Float> {
        try dense.checkpoint.head().output ?? dense.checkpoint.embeddings().tokens
    }

    /// The number of tokens on which the output head is rounded: more than ten times its inputs in
    /// the usual models.
    private static let headTokens = 8192

    /// The formats that the search may use in addition to the environment's precision.
    var formats: [Precision] { options.searchedFormats(environment) }

    /// Frees the memory of packed models.
    func releaseModels() {
        (packed, packedReference, denseStates) = ([:], nil, [:])
        host_release_freed_memory()
    }

    /// Returns the reference in the environment's precision, against which models are measured.
    func baseline() throws -> Model {
        guard options.reference != nil else { return try denseModel(in: environment.precision) }
        if let packedReference { return packedReference }
        let model = try reference.packed(in: environment.precision)
        packedReference = model
        return model
    }

    /// Whether the dense model in f32 is too large to keep in memory with other models.
    var isLarge: Bool {
        let bytes = dense.shape.parameters * MemoryLayout<Float>.size
        return bytes > AvailableResources.current.memoryBytes / 4
    }

    /// The number of query heads per key-value head, if `transformers` requires that the number of
    /// heads divides the width.
    ///
    /// It is nil for encoders, because their channel step ensures that.
    private var headsThatDivide: Int? {
        let config = dense.checkpoint.config
        let family = config.family
        guard family.dividesWidthByHeads, family.architecture.isCausal else { return nil }
        return config.defaultLayer.queryHeads / config.defaultLayer.keyValueHeads
    }

    /// Runs every stage that is not finished, and writes the report.
    ///
    /// A run that fails before its first product leaves no files.
    func finish() throws -> PruneReport {
        try directory.leavingNothingUnused { try run() }
    }

    private func run() throws -> PruneReport {
        let table = try profile()
        try check(reaches: options.targets, table)
        if isLarge {
            progress.remark(
                "In f32 the model would fill more than a quarter of memory: sensitivities are "
                    + "estimated, and the remaining weights are not refitted.")
        }
        let text = try calibrationText()
        let facts = try calibrate(on: text)
        let surgery = Surgery(
            dense.checkpoint,
            calibration: try CalibrationFile(path: directory.product(Product.moments)),
            channelImportance: facts.channelNorms, damping: options.damping, engine: engine)
        let formats = try measureFormats(table, on: text)
        surgery.roundedHeads = try roundedHeads(
            usableFormats(table).filter { table.heads[$0] != nil })
        var steps: [SearchStep]?
        var levers: [LeverSteps]?
        func results(of method: PruningMethod, isBaseline: Bool) throws -> [TargetResult] {
            surgery.keepsAll = method == .spdy
            let losses = try losses(of: method, surgery)
            let calibrationResults = PruningMethod.CalibrationResults(
                losses: losses, blockInfluence: facts.blockInfluence,
                sensitivity: try sensitivity(of: method, losses, surgery, facts, on: text),
                formatDamage: try formatDamage(of: method, table, surgery, on: text),
                channelStep: dense.shape.channelStep, headsThatDivide: headsThatDivide)
            if !isBaseline {
                let check = try checkLosses(
                    of: method, table, surgery, calibrationResults, on: text)
                steps = searchSteps(of: method, table, calibrationResults, check)
                if method == .greedy, formats != nil {
                    levers = [(PruningMethod.units, "units alone"), (.formats, "formats alone")]
                        .compactMap { lever, name in
                            searchSteps(of: lever, table, calibrationResults, check).map {
                                LeverSteps(name: name, steps: $0)
                            }
                        }
                }
            }
            for set in [EvaluationSet.heldOut, .second] { _ = try evaluateDense(on: text, set) }
            return try reach(
                by: method, isBaseline: isBaseline, table, surgery, calibrationResults, text: text)
        }
        let targets = try results(of: options.method, isBaseline: false)
        let baselines = try options.baselines.flatMap { method -> [BaselineResult] in
            do {
                return try results(of: method, isBaseline: true).map {
                    BaselineResult(
                        method: method.rawValue, target: $0.target, measured: $0.measured,
                        quality: $0.quality, second: $0.second)
                }
            } catch let error as SearchError {
                progress.remark("\(method.rawValue) is left out: \(error)")
                return []
            }
        }
        var report = PruneReport(
            options: options, dense: reference, environment: environment, table: table,
            targets: targets, denseQuality: try evaluateDense(on: text), baselines: baselines,
            text: text,
            facts: facts, stages: costs, inputs: inputs)
        (report.secondText, report.secondOrigin) = (try secondText().name, try secondText().origin)
        report.secondDense = try evaluateDense(on: text, .second)
        (report.search, report.levers) = (steps, levers)
        report.formats = formats
        report.model.weightBytes = try baseline().weightBytes
        report.samples = try samples(of: text)
        report.refuse(refusal)
        if options.program == nil, targets.contains(where: { $0.confirmation != nil }) {
            report.notes.append(
                "The finished models were measured again in the process that made them.")
        }
        try report.finalize(in: directory, source: reference.location)
        if options.tidies { try directory.tidy() }
        return report
    }

    /// Runs a stage, and records its time and memory.
    func stage<Result>(_ name: String, _ work: () throws -> Result) throws -> Result {
        try progress.checkCancellation()
        let start = host_monotonic_nanoseconds()
        let result = try work()
        costs[name] = StageCost(
            seconds: (costs[name]?.seconds ?? 0)
                + Double(host_monotonic_nanoseconds() - start) * 1e-9,
            peakBytes: Int(host_peak_resident_bytes()))
        try directory.write(costs, "work/stages.json")
        return result
    }
}

/// The names of the stages' products.
enum Product {
    static let profile = "profile.json"
    static let sampled = "work/sampled.json"
    static let moments = "work/moments.safetensors"
    static let facts = "work/calibration.json"
    static let losses = "losses.json"
    static let sensitivity = "work/sensitivity.json"
    static let formatDamage = "work/formats.json"
    static let formats = "work/dense-formats.json"
    static let denseQuality = "work/dense.json"
    static let denseSecondQuality = "work/dense-second.json"
    static let lossCheck = "work/loss-check.json"
    static let samples = "work/samples.json"
    static let denseScore = "work/lesson.json"
    static let plans = "plan.json"
    /// The folder is removed with the run.
    static let runtimeFiles = "work/runtime.tmp"
    static let quietDense = "work/quiet.json"

    /// The plan chosen for a target.
    static func choice(_ name: String) -> String { "work/\(name)-plan.json" }
}
