/// The results of one prune.
///
/// Times are in seconds, ratios and shares are fractions, divergences are in nats. All numbers must
/// be finite.
public struct PruneReport: Codable, Sendable, Equatable {
    /// The version of the program that wrote the report.
    public var version: String
    /// When the run ended, in ISO 8601.
    public var createdAt: String
    /// The command as it was typed.
    public var command: String
    /// The dense model.
    public var model: ModelDescription
    /// The environment that was timed.
    public var environment: EnvironmentDescription
    /// The method that found the plans.
    public var method: String
    /// The seed of every random choice.
    public var seed: UInt64
    /// One result for each target.
    public var targets: [TargetResult]
    /// The quality of the dense model.
    public var dense: QualityFigures
    /// The evaluation set, such as `WikiText-2 test, 4 096 tokens`.
    public var evaluatedOn: String
    /// A second evaluation set, of another kind of text, such as `novel.txt, 8192 tokens`.
    public var secondText: String?
    /// The origin of the second text; nil if there is no second text or its origin is unknown.
    public var secondOrigin: SecondTextOrigin?
    /// The quality of the dense model on the second text.
    public var secondDense: QualityFigures?
    /// The dense model in the formats that the search could use, the most precise first; nil if it
    /// could use none.
    public var formats: [FormatResult]?
    /// The same targets reached by simpler methods; may be empty.
    public var baselines: [BaselineResult]
    /// The scores on tasks; nil if no task was evaluated.
    public var tasks: [TaskFigures]?
    /// The dense model's continuations of some prompts; nil for encoders.
    public var samples: [TextSample]?
    /// The path of the search from the dense model; nil if the method has no steps.
    public var search: [SearchStep]?
    /// The paths of searches that change only units or only formats; nil if the search itself does so.
    public var levers: [LeverSteps]?
    /// The time of each kind of component at each level.
    public var latencyCurves: [ComponentLatency]
    /// The time that no plan changes.
    public var baseSeconds: Double
    /// The time of the dense model: from the profile, or after ``normaliseTimes()`` as measured
    /// with the models.
    public var denseSeconds: Double
    /// The machine of the profile; nil if it is the machine of the environment.
    public var profiledMachine: String?
    /// The errors of the profile's predictions for random plans; nil if they were not measured.
    public var verification: VerificationFigures?
    /// The cost of each stage of the run, by its name.
    public var stages: [String: StageCost]
    /// The files that the result depends on.
    public var inputs: [InputDigest]
    /// The text that the model was calibrated on.
    public var calibration: CalibrationDescription
    /// Further reasons for caution, as complete sentences.
    public var notes: [String]
    /// Why a target and all higher targets were not written; nil if all were written.
    public var refused: String?

    /// Creates a report from its parts.
    public init(
        version: String, createdAt: String, command: String, model: ModelDescription,
        environment: EnvironmentDescription, method: String, seed: UInt64,
        targets: [TargetResult], dense: QualityFigures, evaluatedOn: String,
        baselines: [BaselineResult] = [], latencyCurves: [ComponentLatency], baseSeconds: Double,
        denseSeconds: Double, verification: VerificationFigures? = nil,
        stages: [String: StageCost], inputs: [InputDigest],
        calibration: CalibrationDescription, notes: [String] = []
    ) {
        self.version = version
        self.createdAt = createdAt
        self.command = command
        self.model = model
        self.environment = environment
        self.method = method
        self.seed = seed
        self.targets = targets
        self.dense = dense
        self.evaluatedOn = evaluatedOn
        self.baselines = baselines
        self.latencyCurves = latencyCurves
        self.baseSeconds = baseSeconds
        self.denseSeconds = denseSeconds
        self.verification = verification
        self.stages = stages
        self.inputs = inputs
        self.calibration = calibration
        self.notes = notes
    }
}

/// The dense model with all its matrices in one format.
public struct FormatResult: Codable, Sendable, Equatable {
    /// The format, such as `int8`.
    public var format: String
    /// The speedup over the dense model in the environment's precision, as profiled.
    public var speedup: Double
    /// The size of the weights in memory in bytes.
    public var weightBytes: Int
    /// The quality of the dense model in this format.
    public var quality: QualityFigures

    private enum CodingKeys: String, CodingKey {
        case format
        case speedup
        case weightBytes = "bytes"
        case quality
    }

    /// Creates a result.
    public init(format: String, speedup: Double, weightBytes: Int, quality: QualityFigures) {
        self.format = format
        self.speedup = speedup
        self.weightBytes = weightBytes
        self.quality = quality
    }
}

/// The errors of a profile's predictions for random plans, each measured as a complete model.
public struct VerificationFigures: Codable, Sendable, Equatable {
    /// The number of plans.
    public var plans: Int
    /// The median magnitude of the errors, as a fraction of the measured time.
    public var medianError: Double
    /// The largest magnitude of an error.
    public var worstError: Double

    /// Creates figures.
    public init(plans: Int, medianError: Double, worstError: Double) {
        self.plans = plans
        self.medianError = medianError
        self.worstError = worstError
    }
}

/// A step of the search on its path from the dense model.
public struct SearchStep: Codable, Sendable, Equatable {
    /// The predicted speedup.
    public var speedup: Double
    /// The predicted loss, in the unit of the search.
    public var loss: Double

    private enum CodingKeys: String, CodingKey {
        case speedup
        case loss = "damage"
    }

    /// Creates a step.
    public init(speedup: Double, loss: Double) {
        self.speedup = speedup
        self.loss = loss
    }
}

/// The path of a search that changes only units or only formats.
public struct LeverSteps: Codable, Sendable, Equatable {
    /// The name of the path in a legend.
    public var name: String
    /// The steps from the dense model.
    public var steps: [SearchStep]

    /// Creates a path.
    public init(name: String, steps: [SearchStep]) {
        (self.name, self.steps) = (name, steps)
    }
}

/// A prompt, and the dense model's continuation.
public struct TextSample: Codable, Sendable, Equatable {
    /// The prompt.
    public var prompt: String
    /// The dense model's continuation.
    public var dense: String

    /// Creates a sample.
    public init(prompt: String, dense: String) {
        self.prompt = prompt
        self.dense = dense
    }
}

extension PruneReport {
    /// Returns the continuations of a prompt by every model, with the model's name; the dense model
    /// is first.
    func continuations(of index: Int) -> [(model: String, text: String)] {
        guard let samples else { return [] }
        return [("dense", samples[index].dense)]
            + targets.compactMap { result in
                guard let texts = result.continuations, texts.indices.contains(index) else {
                    return nil
                }
                return (Figures.target(result.target), texts[index])
            }
    }
}

/// The dense model of a report.
public struct ModelDescription: Codable, Sendable, Equatable {
    /// The name of the model in reports.
    public var name: String
    /// The path or hub name that commands take.
    public var path: String
    /// The family of the model, such as `llama` or `bert`.
    public var architecture: String
    /// The number of weights.
    public var parameters: Int
    /// Whether the model generates text.
    ///
    /// Other models only encode text.
    public var generatesText: Bool
    /// The layers from input to output.
    public var layers: [LayerSizes]
    /// The size of the files in bytes, if known.
    public var bytes: Int?
    /// The size of the weights in memory in bytes, if known.
    public var weightBytes: Int?
    /// The pooling modes of an encoder, with the names of Sentence Transformers; nil for the mean.
    public var pooling: [String]?

    /// Creates a description.
    public init(
        name: String, path: String, architecture: String, parameters: Int, generatesText: Bool,
        layers: [LayerSizes]
    ) {
        self.name = name
        self.path = path
        self.architecture = architecture
        self.parameters = parameters
        self.generatesText = generatesText
        self.layers = layers
    }
}

/// The conditions of a timing.
///
/// A speedup holds only for these conditions.
public struct EnvironmentDescription: Codable, Sendable, Equatable {
    /// `encode`, `prefill` or `decode`.
    public var phase: String
    /// Sequences per call.
    public var batch: Int
    /// Tokens per sequence, or tokens of context in `decode`.
    public var sequence: Int
    /// Threads of the process.
    public var threads: Int
    /// The precision, such as `f32`.
    public var precision: String
    /// The runtime.
    public var runtime: String
    /// The instruction set of the built-in runtime's kernels; nil for other runtimes.
    public var instructionSet: String?
    /// The processor.
    public var machine: String

    /// Creates a description.
    public init(
        phase: String, batch: Int, sequence: Int, threads: Int, precision: String,
        runtime: String, instructionSet: String? = nil, machine: String
    ) {
        self.phase = phase
        self.batch = batch
        self.sequence = sequence
        self.threads = threads
        self.precision = precision
        self.runtime = runtime
        self.instructionSet = instructionSet
        self.machine = machine
    }

    /// A summary, such as `decode · batch 1 · context 256 · …`.
    var summary: String {
        [
            phase, "batch \(batch)",
            phase == "decode" ? "context \(sequence)" : "sequence \(sequence)",
            "\(threads) \(threads == 1 ? "thread" : "threads")", precision, runtime,
            instructionSet, machine,
        ].compactMap(\.self).joined(separator: " · ")
    }
}

/// The cost of one stage of a run.
public struct StageCost: Codable, Sendable, Equatable {
    /// The elapsed time in seconds.
    public var seconds: Double
    /// The peak memory of the process at the end of the stage.
    public var peakBytes: Int

    /// Creates a cost.
    public init(seconds: Double, peakBytes: Int) {
        self.seconds = seconds
        self.peakBytes = peakBytes
    }
}

/// A file that a result depends on.
public struct InputDigest: Codable, Sendable, Equatable {
    /// The name of the file.
    public var name: String
    /// The digest of the file with the algorithm's name, such as `sha256:…`.
    public var digest: String

    /// Creates a digest.
    public init(name: String, digest: String) {
        self.name = name
        self.digest = digest
    }
}

/// The text that a model was calibrated on.
public struct CalibrationDescription: Codable, Sendable, Equatable {
    /// The source of the text.
    public var source: String
    /// The number of tokens that were used.
    public var tokens: Int
    /// Whether the model generated the text.
    public var sampledByModel: Bool

    /// Creates a description.
    public init(source: String, tokens: Int, sampledByModel: Bool) {
        self.source = source
        self.tokens = tokens
        self.sampledByModel = sampledByModel
    }
}
