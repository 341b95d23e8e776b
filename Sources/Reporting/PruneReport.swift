/// Everything that one prune run found out, as it is told to people and programs.
///
/// Times are in seconds, ratios and shares are fractions, divergences use natural logarithms. All
/// numbers must be finite.
public struct PruneReport: Codable, Sendable, Equatable {
    /// The version of the program that wrote the report.
    public var version: String
    /// When the run ended, in ISO 8601.
    public var createdAt: String
    /// The command as it was typed.
    public var command: String
    /// The dense model.
    public var model: ModelDescription
    /// What was timed.
    public var environment: EnvironmentDescription
    /// How plans were found.
    public var method: String
    /// The seed of every random choice.
    public var seed: UInt64
    /// One result for each speedup asked for.
    public var targets: [TargetResult]
    /// The quality of the dense model.
    public var dense: QualityFigures
    /// What quality was measured on, such as `WikiText-2 test, 4 096 tokens`.
    public var evaluatedOn: String
    /// A second text that quality was measured on, of another kind.
    public var secondText: String?
    /// The quality of the dense model on the second text.
    public var secondDense: QualityFigures?
    /// The same targets reached by simpler methods; may be empty.
    public var baselines: [BaselineResult]
    /// What the models scored on tasks; nil where none were asked.
    public var tasks: [TaskFigures]?
    /// What the dense model writes behind a few prompts; nil for encoders.
    public var samples: [TextSample]?
    /// How the search went down from the dense model; nil where the method takes no steps.
    public var search: [SearchStep]?
    /// What each kind of component costs at each level.
    public var latencyCurves: [LatencyCurve]
    /// The time that no plan changes.
    public var baseSeconds: Double
    /// The time of the dense model: as profiled, or where ``settleTimes()`` was called, as measured
    /// beside the models.
    public var denseSeconds: Double
    /// The machine that was profiled, where it is not the environment's; nil where it is.
    public var profiledMachine: String?
    /// How well the profile predicted random plans, where that was measured.
    public var verification: VerificationFigures?
    /// What each stage of the run took, by its name.
    public var stages: [String: StageCost]
    /// The files that the result depends on.
    public var inputs: [InputDigest]
    /// The text that the model was calibrated on.
    public var calibration: CalibrationDescription
    /// Further reasons for caution, in whole sentences.
    public var notes: [String]
    /// Why a target, and those above it, were not written; nil where all were.
    public var refused: String?

    /// Creates a report from its parts.
    public init(
        version: String, createdAt: String, command: String, model: ModelDescription,
        environment: EnvironmentDescription, method: String, seed: UInt64,
        targets: [TargetResult], dense: QualityFigures, evaluatedOn: String,
        baselines: [BaselineResult] = [], latencyCurves: [LatencyCurve], baseSeconds: Double,
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

/// How well a profile predicted random plans, each measured as a whole model.
public struct VerificationFigures: Codable, Sendable, Equatable {
    /// How many plans.
    public var plans: Int
    /// The median size of the errors, as a fraction of the measured time.
    public var medianError: Double
    /// The greatest size of an error.
    public var worstError: Double

    /// Creates figures.
    public init(plans: Int, medianError: Double, worstError: Double) {
        self.plans = plans
        self.medianError = medianError
        self.worstError = worstError
    }
}

/// A model on a search's way from the dense one.
public struct SearchStep: Codable, Sendable, Equatable {
    /// The speedup predicted for it.
    public var speedup: Double
    /// The predicted damage, in the search's own measure.
    public var damage: Double

    /// Creates a step.
    public init(speedup: Double, damage: Double) {
        self.speedup = speedup
        self.damage = damage
    }
}

/// A prompt and what the dense model writes behind it.
public struct TextSample: Codable, Sendable, Equatable {
    /// The prompt.
    public var prompt: String
    /// What the dense model writes.
    public var dense: String

    /// Creates a sample.
    public init(prompt: String, dense: String) {
        self.prompt = prompt
        self.dense = dense
    }
}

extension PruneReport {
    /// What every model writes behind a prompt, by what it is called, the dense one first.
    func writings(behind index: Int) -> [(model: String, text: String)] {
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
    /// What people call it.
    public var name: String
    /// Where it was read from, as commands take it.
    public var path: String
    /// Its family, such as `llama` or `bert`.
    public var architecture: String
    /// Its number of weights.
    public var parameters: Int
    /// Whether it continues text; others only encode it.
    public var generatesText: Bool
    /// Its layers from input to output.
    public var layers: [LayerSizes]
    /// What its files take on disk, where that is known.
    public var bytes: Int?
    /// The modes by which an encoder pools, as Sentence Transformers names them; nil for the mean.
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

/// What was timed: a speedup holds there and nowhere else.
public struct EnvironmentDescription: Codable, Sendable, Equatable {
    /// `encode`, `prefill` or `decode`.
    public var phase: String
    /// Sequences per call.
    public var batch: Int
    /// Tokens per sequence, or tokens of context in `decode`.
    public var sequence: Int
    /// Threads of the process.
    public var threads: Int
    /// The arithmetic, such as `f32`.
    public var precision: String
    /// What ran the model.
    public var runtime: String
    /// The processor.
    public var machine: String

    /// Creates a description.
    public init(
        phase: String, batch: Int, sequence: Int, threads: Int, precision: String,
        runtime: String, machine: String
    ) {
        self.phase = phase
        self.batch = batch
        self.sequence = sequence
        self.threads = threads
        self.precision = precision
        self.runtime = runtime
        self.machine = machine
    }

    /// Such as `decode · batch 1 · context 256 · …`.
    var summary: String {
        [
            phase, "batch \(batch)",
            phase == "decode" ? "context \(sequence)" : "sequence \(sequence)",
            "\(threads) \(threads == 1 ? "thread" : "threads")", precision, runtime, machine,
        ].joined(separator: " · ")
    }
}

/// What one stage of a run took.
public struct StageCost: Codable, Sendable, Equatable {
    /// Its wall-clock time.
    public var seconds: Double
    /// The peak memory of the process by its end.
    public var peakBytes: Int

    /// Creates a cost.
    public init(seconds: Double, peakBytes: Int) {
        self.seconds = seconds
        self.peakBytes = peakBytes
    }
}

/// A file that a result depends on.
public struct InputDigest: Codable, Sendable, Equatable {
    /// Its name.
    public var name: String
    /// Its digest with the algorithm's name, such as `sha256:…`.
    public var digest: String

    /// Creates a digest.
    public init(name: String, digest: String) {
        self.name = name
        self.digest = digest
    }
}

/// The text that a model was calibrated on.
public struct CalibrationDescription: Codable, Sendable, Equatable {
    /// Where it comes from.
    public var source: String
    /// How much of it was used.
    public var tokens: Int
    /// Whether the model wrote it itself.
    public var sampledByModel: Bool

    /// Creates a description.
    public init(source: String, tokens: Int, sampledByModel: Bool) {
        self.source = source
        self.tokens = tokens
        self.sampledByModel = sampledByModel
    }
}
