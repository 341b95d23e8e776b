/// Measured seconds with their confidence interval.
public struct Timing: Codable, Hashable, Sendable {
    /// The median.
    public var seconds: Double
    /// The lower end of the median's 95 % confidence interval; the minimum if there are few
    /// samples.
    public var low: Double
    /// The upper end of the median's 95 % confidence interval; the maximum if there are few
    /// samples.
    public var high: Double
    /// The number of samples.
    public var samples: Int

    /// Creates a timing.
    public init(seconds: Double, low: Double, high: Double, samples: Int) {
        self.seconds = seconds
        self.low = low
        self.high = high
        self.samples = samples
    }

    /// Creates a timing from a sample, with each value multiplied by a scale; nil without values.
    public init?(_ statistics: Statistics, scale: Double = 1) {
        guard let minimum = statistics.sorted.first, let maximum = statistics.sorted.last else {
            return nil
        }
        let interval = statistics.medianInterval() ?? minimum...maximum
        self.init(
            seconds: statistics.median * scale, low: interval.lowerBound * scale,
            high: interval.upperBound * scale, samples: statistics.count)
    }

    /// The interval's width as a fraction of the median.
    public var spread: Double { (high - low) / seconds }
}
