/// One timing, and whether something disturbed it.
public struct Sample: Sendable, Equatable {
    /// The seconds that the clock showed.
    public var seconds: Double
    /// Whether the thread lost its CPU meanwhile, so that the time means little.
    public var isTainted: Bool

    /// Creates a sample.
    public init(seconds: Double, isTainted: Bool = false) {
        self.seconds = seconds
        self.isTainted = isTainted
    }

    /// Whether the sample may enter a ratio.
    var isUsable: Bool { !isTainted && seconds.isFinite && seconds > 0 }
}

/// How much longer a candidate takes than a reference timed beside it, round after round.
///
/// Whatever slows both samples of a round alike cancels out of its ratio.
public struct PairedRatios: Sendable, Equatable {
    /// Candidate over reference, one value for each round without a tainted sample.
    public private(set) var ratios: [Double] = []
    /// The rounds that were left out because one of their samples was tainted.
    public private(set) var taintedRounds = 0

    /// Creates an empty collection.
    public init() {}

    /// Adds the two samples of one round.
    public mutating func add(reference: Sample, candidate: Sample) {
        if reference.isUsable && candidate.isUsable {
            ratios.append(candidate.seconds / reference.seconds)
        } else {
            taintedRounds += 1
        }
    }

    /// The ratios' median, confidence interval and stopping rule.
    public var statistics: Statistics { Statistics(ratios) }
}
