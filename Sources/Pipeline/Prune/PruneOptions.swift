internal import Profiling
public import Pruning
public import Tensors
internal import Transformers

/// The options of a ``PruneJob``.
public struct PruneOptions: Sendable {
    /// The model to prune: a path or a hub id.
    public var model: String
    /// The model that speed and quality are measured against; nil for ``model``.
    var reference: String?
    /// The required speedups over the dense model, each above 1; several give a family of models.
    public var speedups: [Double]
    /// The conditions that models are timed under.
    public var environment = EnvironmentOptions()
    /// The file of an earlier profile; nil to profile this machine first.
    public var profile: String?
    /// The formats that the blocks and the output head may have in addition to the precision of
    /// ``environment``.
    ///
    /// Only profiles of the built-in runtime have times of several formats.
    public var formats = Precision.allCases
    /// The method of rounding weights to 4 bits.
    public var rounding = Rounding.gptq
    /// Files of plain text that is similar to the text that the model will process.
    ///
    /// For encoders each line is a paragraph. A tenth of the text, at most 8192 tokens, is held out
    /// for evaluation. Encoders need a text. Without a text, a decoder generates one.
    public var calibration: [String] = []
    /// A file of plain text of another kind, for a second evaluation; nil for a story in this
    /// library.
    public var evaluation: String?
    /// The number of calibration tokens.
    public var calibrationTokens = 32_768
    /// The pruning method.
    public var method = PruningMethod.greedy
    /// Further methods to compare with, which reach the same targets.
    ///
    /// Only models of the methods that use levers of ``Pruning/PruningMethod/greedy`` are refitted.
    public var baselines: [PruningMethod] = []
    /// The fraction of the Hessian's mean diagonal that is added to it.
    public var damping = 0.01
    /// The number of calibration tokens on which kept weights are refitted when a plan is final.
    public var refitTokens = 20_480
    /// The number of passes of gradient descent over these tokens, which fit feed-forward blocks;
    /// nil for 3 for encoders and 0 for decoders.
    public var refitPasses: Int?
    /// The number of plans for each target whose loss ``Pruning/PruningMethod/spdy`` measures.
    public var trials = 1100
    /// The number of random plans whose divergence is compared with the predicted loss; 0 for none.
    public var checkedPlans = 0
    /// The maximum number of plans that are measured for a target.
    ///
    /// If it is 1, the plan is not corrected.
    public var attempts = 4
    /// The maximum time to profile, and to measure each plan, in seconds; nil for 80 and 20.
    public var seconds: Double?
    /// The maximum loss on held-out text; nil for no limit.
    ///
    /// For decoders it is the fraction by which perplexity rises. For encoders it is the mean
    /// cosine distance from the dense model's vectors.
    public var maxLoss: Double?
    /// The seed of all random choices.
    public var seed: UInt64 = 1
    /// The program that must be able to load the models, which limits the plans.
    public var runtime = LoadableCosts.Runtime.any
    /// The directory of the models and the report, in which a stopped job resumes.
    public var output: String
    /// Whether products of another prune in the directory are discarded.
    public var restarts = false
    /// Whether the folder `work`, which is needed to resume, is removed at the end.
    public var tidies = false
    /// The training after each target; nil for none.
    public var recovery: RecoveryOptions?
    /// The path of the program `espalier`, which measures the finished models in a separate
    /// process; nil to measure them in this process.
    public var program: String?
    /// The command that the report shows for a repetition; nil for this process's arguments.
    public var command: String?

    /// Options with defaults.
    ///
    /// - Parameters:
    ///   - model: The model to prune: a path or a hub id.
    ///   - speedups: The required speedups; several give a family of models.
    ///   - output: The directory of the models and the report.
    public init(_ model: String, speedups: [Double], output: String) {
        (self.model, self.speedups, self.output) = (model, speedups, output)
    }

    /// Refuses options that are out of range or contradict each other.
    ///
    /// - Throws: ``InvalidOptions``.
    public func check() throws(InvalidOptions) {
        guard !speedups.isEmpty, speedups.allSatisfy({ $0 > 1 && $0.isFinite }) else {
            throw InvalidOptions("--speedup needs numbers above 1")
        }
        guard calibrationTokens >= 256, refitTokens >= 0, refitPasses ?? 0 >= 0 else {
            throw InvalidOptions(
                "--calibration-tokens must be at least 256, --refit-tokens and --refit-passes at "
                    + "least 0")
        }
        guard attempts > 0, trials > 0, damping > 0, maxLoss ?? 0 >= 0, seconds ?? 1 > 0 else {
            throw InvalidOptions(
                "--attempts, --trials, --damping and --seconds must be above 0, --max-loss at "
                    + "least 0")
        }
        try recovery?.check()
        guard recovery == nil || baselines.isEmpty else {
            throw InvalidOptions(
                "--baseline cannot be used with --recover, because baselines are not trained: run "
                    + "prune without --recover to compare them")
        }
    }

    /// The number of passes of gradient descent that fit feed-forward blocks in a refit.
    func refitPasses(for architecture: Architecture) -> Int {
        refitPasses ?? (architecture.isEncoder ? 3 : 0)
    }

    /// Returns the formats that the search may use in addition to the environment's precision.
    ///
    /// Only profiles of the built-in runtime have times of several formats.
    func searchedFormats(_ environment: InferenceEnvironment) -> [Precision] {
        let hasFormats =
            environment.runtime == Runtime.builtIn.name && recovery == nil
            && ([method] + baselines).contains { $0.usesFormats }
        guard hasFormats else { return [] }
        return Precision.allCases.filter {
            $0.bits < environment.precision.bits && formats.contains($0)
        }
    }

    /// The targets in ascending order, without repetitions.
    var targets: [Double] { Set(speedups).sorted() }
}

/// The name of a target's directory, such as `1.25x`.
func directoryName(of target: Double) -> String {
    (Int(exactly: target).map(String.init) ?? String(target)) + "x"
}
