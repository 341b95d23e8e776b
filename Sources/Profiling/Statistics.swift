#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Order statistics of a sample, which assume nothing about its distribution.
public struct Statistics: Sendable, Equatable {
    /// The finite values, ascending.
    public let sorted: [Double]

    /// Creates the statistics of a sample; values that are not finite are ignored.
    public init(_ values: some Sequence<Double>) {
        sorted = values.filter(\.isFinite).sorted()
    }

    /// The number of values.
    public var count: Int { sorted.count }

    /// The median; NaN without values.
    public var median: Double { quantile(0.5) }

    /// Returns the quantile of a fraction, interpolated linearly between values.
    ///
    /// - Parameter fraction: From 0, the minimum, to 1, the maximum; clamped.
    /// - Returns: The quantile, or NaN without values.
    public func quantile(_ fraction: Double) -> Double {
        guard let first = sorted.first else { return .nan }
        guard fraction > 0 else { return first }
        let position = min(fraction, 1) * Double(count - 1)
        let below = Int(position)
        guard below + 1 < count else { return sorted[count - 1] }
        let weight = position - Double(below)
        return sorted[below] * (1 - weight) + sorted[below + 1] * weight
    }

    /// The median distance from the median.
    public var medianAbsoluteDeviation: Double {
        let middle = median
        return Statistics(sorted.map { abs($0 - middle) }).median
    }

    /// Returns an interval that contains the distribution's median with at least the given
    /// confidence.
    ///
    /// Its ends are the k-th values from both ends, with the largest k for which
    /// `2 · P(Binomial(n, ½) < k) ≤ 1 − confidence`. This is exact for any continuous distribution.
    ///
    /// - Parameter confidence: Between 0 and 1.
    /// - Returns: The interval; nil if the sample is too small, which is below 6 values for 95 %.
    public func medianInterval(confidence: Double = 0.95) -> ClosedRange<Double>? {
        let allowed = (1 - confidence) / 2
        var logarithm = -Double(count) * log(2.0)
        var tail = 0.0
        var rank = 0
        while 2 * rank < count {
            tail += exp(logarithm)
            if tail > allowed { break }
            logarithm += log(Double(count - rank) / Double(rank + 1))
            rank += 1
        }
        return rank == 0 ? nil : sorted[rank - 1]...sorted[count - rank]
    }

    /// Whether the confidence interval of the median is narrow enough to stop sampling.
    ///
    /// - Parameters:
    ///   - relativeWidth: The maximum width of the confidence interval, as a fraction of the
    ///     median.
    ///   - confidence: The confidence of that interval.
    /// - Returns: Whether the interval is narrow enough; false also if the sample is too small for
    ///   an interval.
    public func isConverged(relativeWidth: Double, confidence: Double = 0.95) -> Bool {
        guard let interval = medianInterval(confidence: confidence) else { return false }
        return interval.upperBound - interval.lowerBound <= relativeWidth * abs(median)
    }
}
