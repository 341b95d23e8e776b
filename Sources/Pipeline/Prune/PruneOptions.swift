public import Pruning
internal import Transformers

/// What is asked of a ``PruneJob``.
public struct PruneOptions: Sendable {
    /// The model to prune: a path or a hub id.
    public var model: String
    /// The model that speed and quality are measured against; nil for ``model``.
    var reference: String?
    /// How many times faster than the dense model to become, each above 1; several make a family.
    public var speedups: [Double]
    /// The conditions that models are timed under.
    public var environment = EnvironmentOptions()
    /// The file of a profile made before; nil to profile this machine first.
    public var profile: String?
    /// Files of plain text like what the model will see, for encoders a paragraph a line.
    ///
    /// A tenth, at most 8192 tokens, is held out to evaluate. Encoders need it; decoders without it
    /// write text of their own.
    public var calibration: [String] = []
    /// A file of plain text of another kind, to evaluate on as well; nil for a story that comes with
    /// this library.
    public var evaluation: String?
    /// How many tokens to calibrate on.
    public var calibrationTokens = 32_768
    /// How the plan is chosen.
    public var method = PruningMethod.greedy
    /// Other methods, which reach the targets too, without a refit, to compare with.
    public var baselines: [PruningMethod] = []
    /// The fraction of the Hessian's mean diagonal that is added to it.
    public var damping = 0.01
    /// How many of the calibration tokens kept weights are refitted on when a plan is final.
    public var refitTokens = 20_480
    /// How often feed-forward blocks see these tokens too; nil for 3 for encoders and 0 for
    /// decoders.
    public var refitPasses: Int?
    /// How many plans ``Pruning/PruningMethod/spdy`` measures the loss of for a target.
    public var trials = 1100
    /// The maximum number of plans that are measured for a target; 1 trusts the profile.
    public var attempts = 4
    /// The maximum time to profile, and to measure each plan; nil for 80 and 20 seconds.
    public var seconds: Double?
    /// The maximum loss on held-out text: of decoders the fraction by which perplexity rises, of
    /// encoders the mean cosine distance from the dense model's vectors; nil for any.
    public var maxLoss: Double?
    /// The seed of all random choices.
    public var seed: UInt64 = 1
    /// The program that is to load the models, which limits the plans.
    public var runtime = LoadableCosts.Runtime.any
    /// The directory of the models and the report, where a stopped job resumes.
    public var output: String
    /// Whether the products of another prune in the directory are discarded.
    public var restarts = false
    /// Whether the folder `work`, which serves to resume, is removed at the end.
    public var tidies = false
    /// The training after each target; nil for none.
    public var recovery: RecoveryOptions?
    /// The path of the program `espalier`, which measures the finished models in a process of its
    /// own; nil to measure them in this process.
    public var program: String?
    /// The command that the report says makes it again; nil for this process's arguments.
    public var command: String?

    /// Options with defaults.
    ///
    /// - Parameters:
    ///   - model: The model to prune: a path or a hub id.
    ///   - speedups: How many times faster to become; several make a family.
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
                "--baseline is not trained: compare with a prune without --recover")
        }
    }

    /// How often feed-forward blocks see the tokens of the refit.
    func refitPasses(for architecture: Architecture) -> Int {
        refitPasses ?? (architecture.isEncoder ? 3 : 0)
    }

    /// The targets in ascending order, each once.
    var targets: [Double] { Set(speedups).sorted() }
}

/// The name of a target's directory, such as `1.25x`.
func directoryName(of target: Double) -> String {
    (Int(exactly: target).map(String.init) ?? String(target)) + "x"
}
