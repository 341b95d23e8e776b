/// The model for one target.
public struct TargetResult: Codable, Sendable, Equatable {
    /// The requested speedup.
    public var target: Double
    /// The speedup that the latency table predicted for the plan.
    public var predicted: Double
    /// The speedup of the finished model over the dense model.
    public var measured: Double
    /// The lower and upper end of the 95% confidence interval of the measured speedup.
    public var interval: [Double]
    /// The directory of the model.
    public var path: String
    /// The number of weights of the model.
    public var parameters: Int
    /// The mean KL divergence of the predictions from the dense model's predictions, in nats.
    public var kl: Double?
    /// The fraction of predictions with the same most likely token as the dense model.
    public var top1: Double?
    /// The perplexity of the model.
    public var perplexity: Double?
    /// For encoders: the mean cosine distance of the sentence vectors from the dense model's.
    public var meanCosineDistance: Double?
    /// The quality on the report's second text.
    public var second: QualityFigures?
    /// The model's continuations of the report's prompts; nil for encoders.
    public var continuations: [String]?
    /// The layers from input to output.
    public var layers: [LayerSizes]
    /// The number of channels of the residual stream, if some were removed.
    public var hiddenSize: Int?
    /// The format of the output head, if that is not the environment's precision.
    public var headFormat: String?
    /// The size of the directory in bytes, if known.
    public var bytes: Int?
    /// The size of the weights in memory in bytes, if known.
    public var weightBytes: Int?
    /// The dense model's time: the median of its times measured alternately with this model.
    ///
    /// After ``PruneReport/normaliseTimes()`` it is the same time for all targets.
    public var denseSeconds: Double
    /// The time of the model: the dense model's time divided by the measured speedup.
    public var seconds: Double
    /// The number of plans that were built and measured until the target was reached.
    public var attempts: Int
    /// The predictions and measurements of these plans, if they were kept.
    public var trials: [Trial]?
    /// Whether other programs disturbed the measurement.
    public var isDisturbed: Bool
    /// Both measurements of the model, if it was measured again from its files.
    public var confirmation: Confirmation?
    /// What training recovered; nil if the model was not trained.
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

    /// Two measurements of a model: during the search, and later from its files.
    public struct Confirmation: Codable, Sendable, Equatable {
        /// The speedup that the search measured.
        public var first: Double
        /// The ends of the confidence interval of this speedup.
        public var firstInterval: [Double]
        /// The speedup measured from the written files, in a separate process.
        public var speedup: Double
        /// The ends of the confidence interval of this speedup.
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

    /// The quality of the model.
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

extension TargetResult {
    /// Whether a part of the model has another format than the environment's precision.
    var hasFormats: Bool { headFormat != nil || layers.contains(where: \.hasFormats) }

    /// Whether the model keeps all heads, neurons and channels of the dense model.
    func removesNothing(of model: ModelDescription) -> Bool {
        hiddenSize == nil
            && zip(layers, model.layers).allSatisfy {
                $0.queryHeads == $1.queryHeads && $0.feedForward == $1.feedForward
            }
    }
}

extension LayerSizes {
    /// Whether a block has another format than the environment's precision.
    var hasFormats: Bool { attentionFormat != nil || feedForwardFormat != nil }
}

/// The sizes of one layer; 0 if a component was removed.
public struct LayerSizes: Codable, Sendable, Equatable {
    /// Query heads.
    public var queryHeads: Int
    /// Key and value heads.
    public var keyValueHeads: Int
    /// Feed-forward neurons.
    public var feedForward: Int
    /// The key-value groups of the dense layer that are kept, if known.
    public var keptGroups: [Int]?
    /// The format of the attention block, if that is not the environment's precision.
    public var attentionFormat: String?
    /// The format of the feed-forward block, if that is not the environment's precision.
    public var feedForwardFormat: String?

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

/// The quality of a model.
///
/// Figures that were not measured are absent.
public struct QualityFigures: Codable, Sendable, Equatable {
    /// The perplexity.
    public var perplexity: Double?
    /// The mean KL divergence from the dense model's predictions, in nats.
    public var kl: Double?
    /// The fraction of predictions with the same most likely token as the dense model.
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

/// What training recovered after pruning.
public struct Recovery: Codable, Sendable, Equatable {
    /// The method: `distill` with the dense model as teacher, or `finetune` on text or labels.
    public var method: String
    /// The number of steps.
    public var steps: Int
    /// The number of tokens of the training.
    public var tokens: Int
    /// The measure of evaluation, such as `perplexity` or `acc`.
    public var measure: String
    /// The measure of the dense model; nil if it has no suitable head.
    public var dense: Double?
    /// The measure before the training.
    public var before: Double
    /// The measure after the training.
    public var after: Double
    /// The quality of the model before the training.
    public var unrecovered: QualityFigures
    /// The cost of the training.
    public var cost: StageCost

    /// Creates the result of a training.
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
    /// The requested speedup.
    public var target: Double
    /// The speedup of the finished model over the dense model.
    public var measured: Double
    /// The quality of the model.
    public var quality: QualityFigures
    /// The quality on the report's second text.
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
    /// The name of a baseline in tables and figures.
    ///
    /// If the baseline uses the method of the family, the name says that it is not refitted.
    public func label(of baseline: BaselineResult) -> String {
        baseline.method == method ? "\(method), not refitted" : baseline.method
    }
}
