/// The model made for one speedup asked for.
public struct TargetResult: Codable, Sendable, Equatable {
    /// The speedup asked for.
    public var target: Double
    /// The speedup that the latency table predicted for the plan.
    public var predicted: Double
    /// The speedup of the finished model against the dense one.
    public var measured: Double
    /// The lower and upper end of the 95% confidence interval of the measured speedup.
    public var interval: [Double]
    /// The directory of the model.
    public var path: String
    /// Its number of weights.
    public var parameters: Int
    /// The mean divergence of its predictions from the dense model's, in nats.
    public var kl: Double?
    /// The share of predictions whose most likely token is the dense model's.
    public var top1: Double?
    /// Its perplexity.
    public var perplexity: Double?
    /// For encoders: the mean cosine distance of its sentence vectors from the dense model's.
    public var meanCosineDistance: Double?
    /// Its quality on the report's second text.
    public var second: QualityFigures?
    /// What it writes behind the prompts of the report's samples; nil for encoders.
    public var continuations: [String]?
    /// Its layers from input to output.
    public var layers: [LayerSizes]
    /// The channels of its residual stream, where it lost some.
    public var hiddenSize: Int?
    /// What its directory takes on disk, where that is known.
    public var bytes: Int?
    /// The dense model's time: the median of those measured in alternation with this model's, or
    /// where ``PruneReport/settleTimes()`` was called, the same for all targets.
    public var denseSeconds: Double
    /// Its time: the dense model's divided by the measured speedup.
    public var seconds: Double
    /// How many plans were built and measured until the target held.
    public var attempts: Int
    /// What was predicted and measured of each of them, where that was kept.
    public var trials: [Trial]?
    /// Whether other programs disturbed the measurement.
    public var isDisturbed: Bool
    /// Both measurements of the model, where it was measured again from its files.
    public var confirmation: Confirmation?
    /// What training won back; nil where the model was not trained.
    public var recovery: Recovery?

    /// A plan that was built and measured.
    public struct Trial: Codable, Sendable, Equatable {
        /// The speedup that the latency table predicted.
        public var predicted: Double
        /// The speedup that was measured.
        public var measured: Double

        /// Creates a trial.
        public init(predicted: Double, measured: Double) {
            self.predicted = predicted
            self.measured = measured
        }
    }

    /// A model measured twice: while it was searched for, and later from its files.
    public struct Confirmation: Codable, Sendable, Equatable {
        /// The speedup that the search measured.
        public var first: Double
        /// The ends of its interval.
        public var firstInterval: [Double]
        /// The speedup measured from the written files, in a process of its own.
        public var speedup: Double
        /// The ends of its interval.
        public var interval: [Double]

        /// Creates a pair of measurements.
        public init(
            first: Double, firstInterval: [Double], speedup: Double, interval: [Double]
        ) {
            self.first = first
            self.firstInterval = firstInterval
            self.speedup = speedup
            self.interval = interval
        }
    }

    /// Its quality apart from its speed.
    public var quality: QualityFigures {
        get {
            QualityFigures(
                perplexity: perplexity, kl: kl, top1: top1, meanCosineDistance: meanCosineDistance)
        }
        set {
            (perplexity, kl, top1, meanCosineDistance) = (
                newValue.perplexity, newValue.kl, newValue.top1, newValue.meanCosineDistance
            )
        }
    }

    /// Creates a result.
    public init(
        target: Double, predicted: Double, measured: Double, interval: [Double], path: String,
        parameters: Int, quality: QualityFigures, layers: [LayerSizes], denseSeconds: Double,
        seconds: Double, attempts: Int, isDisturbed: Bool = false
    ) {
        self.target = target
        self.predicted = predicted
        self.measured = measured
        self.interval = interval
        self.path = path
        self.parameters = parameters
        kl = quality.kl
        top1 = quality.top1
        perplexity = quality.perplexity
        meanCosineDistance = quality.meanCosineDistance
        self.layers = layers
        self.denseSeconds = denseSeconds
        self.seconds = seconds
        self.attempts = attempts
        self.isDisturbed = isDisturbed
    }
}

/// The sizes of one layer; 0 where a branch is gone.
public struct LayerSizes: Codable, Sendable, Equatable {
    /// Query heads.
    public var queryHeads: Int
    /// Key and value heads.
    public var keyValueHeads: Int
    /// Feed-forward neurons.
    public var feedForward: Int
    /// Which key-value groups of the dense layer are kept, where that is known.
    public var keptGroups: [Int]?

    /// Creates sizes.
    public init(
        queryHeads: Int, keyValueHeads: Int, feedForward: Int, keptGroups: [Int]? = nil
    ) {
        self.queryHeads = queryHeads
        self.keyValueHeads = keyValueHeads
        self.feedForward = feedForward
        self.keptGroups = keptGroups
    }
}

/// How good a model is; figures that were not measured are absent.
public struct QualityFigures: Codable, Sendable, Equatable {
    /// The perplexity.
    public var perplexity: Double?
    /// The mean divergence from the dense model's predictions, in nats.
    public var kl: Double?
    /// The share of predictions whose most likely token is the dense model's.
    public var top1: Double?
    /// For encoders: the mean cosine distance of sentence vectors from the dense model's.
    public var meanCosineDistance: Double?

    /// Creates figures.
    public init(
        perplexity: Double? = nil, kl: Double? = nil, top1: Double? = nil,
        meanCosineDistance: Double? = nil
    ) {
        self.perplexity = perplexity
        self.kl = kl
        self.top1 = top1
        self.meanCosineDistance = meanCosineDistance
    }
}

/// What a training won back after a model was pruned.
public struct Recovery: Codable, Sendable, Equatable {
    /// What it learnt from: `distill` for the dense model, `finetune` for text or labels alone.
    public var method: String
    /// Its steps.
    public var steps: Int
    /// The tokens it saw.
    public var tokens: Int
    /// What it was judged by, such as `perplexity` or `acc`.
    public var measure: String
    /// That measure of the dense model, where it has it.
    public var dense: Double?
    /// That measure before the training.
    public var before: Double
    /// That measure after it.
    public var after: Double
    /// The quality of the model as it was pruned.
    public var unrecovered: QualityFigures
    /// What the training took.
    public var cost: StageCost

    /// Creates what a training came to.
    public init(
        method: String, steps: Int, tokens: Int, measure: String, before: Double, after: Double,
        unrecovered: QualityFigures, cost: StageCost
    ) {
        self.method = method
        self.steps = steps
        self.tokens = tokens
        self.measure = measure
        self.before = before
        self.after = after
        self.unrecovered = unrecovered
        self.cost = cost
    }
}

/// A target reached by a simpler method.
public struct BaselineResult: Codable, Sendable, Equatable {
    /// The method, such as `magnitude`.
    public var method: String
    /// The speedup asked for.
    public var target: Double
    /// The speedup of the finished model against the dense one.
    public var measured: Double
    /// Its quality.
    public var quality: QualityFigures
    /// Its quality on the report's second text.
    public var second: QualityFigures?

    /// Creates a result.
    public init(
        method: String, target: Double, measured: Double, quality: QualityFigures,
        second: QualityFigures? = nil
    ) {
        self.second = second
        self.method = method
        self.target = target
        self.measured = measured
        self.quality = quality
    }
}

extension PruneReport {
    /// What a baseline is called beside the family: only the family is refitted.
    public func label(of baseline: BaselineResult) -> String {
        baseline.method == method ? "\(method), not refitted" : baseline.method
    }
}
