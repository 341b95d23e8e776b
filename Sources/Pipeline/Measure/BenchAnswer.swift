public import Profiling
public import Tensors
public import Transformers

/// The speed of a model, alone or compared with a reference model.
public struct BenchAnswer: Encodable {
    /// The time of one model.
    public struct ModelTime: Encodable {
        /// The median time.
        ///
        /// In a comparison, the model's time is the dense model's median divided by the speedup.
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

    /// The conditions of timing.
    public let environment: InferenceEnvironment
    /// The time of the model.
    public internal(set) var model: ModelTime?
    /// The time of the reference model, if there is one.
    public private(set) var dense: ModelTime?
    /// The precision of the reference model, if it differs from the model's precision.
    public internal(set) var densePrecision: Precision?
    /// The format of each matrix of the model; nil if the file of the model names no formats.
    public internal(set) var formats: Formats?
    /// The speedup over the reference model.
    public private(set) var speedup: Double?
    /// The ends of the speedup's 95 % confidence interval.
    public private(set) var speedupInterval: [Double]?
    /// Whether other programs disturbed the measurement.
    public internal(set) var isDisturbed = false
    /// The machine's limits, if they were requested.
    public internal(set) var limits: LimitsAnswer?

    init(_ environment: InferenceEnvironment) {
        self.environment = environment
    }

    /// Stores the figures of a comparison.
    ///
    /// The speedup is the median of the ratios of pairs, which usually differs from the ratio of
    /// the two medians. The dense model's median is stored as its time. The time of the model is
    /// this median divided by the speedup.
    mutating func add(_ comparison: Comparison) {
        model = ModelTime(
            comparison.model, seconds: comparison.dense.seconds / comparison.speedup)
        dense = ModelTime(comparison.dense)
        speedup = comparison.speedup
        speedupInterval = [comparison.interval.lowerBound, comparison.interval.upperBound]
        isDisturbed = comparison.isDisturbed
    }
}
