public import Profiling
public import Tensors

/// How fast a model is, alone or against another.
public struct BenchAnswer: Encodable {
    /// The time of one model.
    public struct ModelTime: Encodable {
        /// The median; of a comparison's model, the dense model's divided by the speedup.
        public let seconds: Double
        /// The width of the median's 95 % confidence interval, as a fraction of the median.
        public let spread: Double
        /// The number of samples.
        public let samples: Int

        init(_ timing: Timing, seconds: Double? = nil) {
            self.seconds = seconds ?? timing.seconds
            spread = timing.spread
            samples = timing.samples
        }
    }

    /// The conditions.
    public let environment: Environment
    /// The time of the model.
    public internal(set) var model: ModelTime?
    /// The time of the model compared with, if there is one.
    public private(set) var dense: ModelTime?
    /// The precision of the model compared with, where it is another.
    public internal(set) var densePrecision: Precision?
    /// How many times faster the model is.
    public private(set) var speedup: Double?
    /// The ends of the speedup's 95 % confidence interval.
    public private(set) var speedupInterval: [Double]?
    /// Whether other programs disturbed the measurement.
    public internal(set) var isDisturbed = false
    /// The machine's limits, if they were asked for.
    public internal(set) var limits: LimitsAnswer?

    init(_ environment: Environment) {
        self.environment = environment
    }

    /// Takes the figures of a comparison.
    ///
    /// The speedup is the median of the ratios of pairs, and rarely the ratio of both medians. One
    /// pair of times stands for it: the dense model's median, and that divided by the speedup.
    mutating func add(_ comparison: Comparison) {
        model = ModelTime(
            comparison.model, seconds: comparison.dense.seconds / comparison.speedup)
        dense = ModelTime(comparison.dense)
        speedup = comparison.speedup
        speedupInterval = [comparison.interval.lowerBound, comparison.interval.upperBound]
        isDisturbed = comparison.isDisturbed
    }
}
