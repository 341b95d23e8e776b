/// One timing, and whether something disturbed it.
public struct Sample: Sendable, Equatable {
    /// The seconds that the clock showed.
    public var seconds: Double
    /// Whether other programs took processor time meanwhile, so that the time means little.
    public var isTainted: Bool

    /// Creates a sample.
    public init(seconds: Double, isTainted: Bool = false) {
        self.seconds = seconds
        self.isTainted = isTainted
    }

    /// Whether the clock made sense.
    var isUsable: Bool { seconds.isFinite && seconds > 0 }
}

/// Values of which some were disturbed: those count only while there are too few others.
public struct CleanFirst: Sendable, Equatable {
    /// The least undisturbed values that stand alone: as many as an interval needs.
    static let enough = 6

    private var clean: [Double] = []
    private var disturbed: [Double] = []

    /// Creates an empty collection.
    public init() {}

    /// Adds a value.
    public mutating func add(_ value: Double, isTainted: Bool) {
        if isTainted { disturbed.append(value) } else { clean.append(value) }
    }

    /// Whether disturbed values count for want of others.
    public var areDisturbed: Bool { clean.count < Self.enough && !disturbed.isEmpty }
    /// The values that count.
    public var values: [Double] { areDisturbed ? clean + disturbed : clean }
    var taintedCount: Int { disturbed.count }
}

/// How much longer a candidate takes than a reference timed beside it, round after round.
///
/// Whatever slows both samples of a round alike cancels out of its ratio. Rounds with a tainted
/// sample are left out as soon as there are enough others.
public struct PairedRatios: Sendable, Equatable {
    private var rounds = CleanFirst()

    /// Creates an empty collection.
    public init() {}

    /// Candidate over reference, one value for each round that counts.
    public var ratios: [Double] { rounds.values }

    /// The rounds of which a sample was tainted.
    public var taintedRounds: Int { rounds.taintedCount }

    /// Whether tainted rounds count for want of others.
    public var areDisturbed: Bool { rounds.areDisturbed }

    /// Adds the two samples of one round.
    public mutating func add(reference: Sample, candidate: Sample) {
        guard reference.isUsable && candidate.isUsable else { return }
        rounds.add(
            candidate.seconds / reference.seconds,
            isTainted: reference.isTainted || candidate.isTainted)
    }

    /// The ratios' median, confidence interval and stopping rule.
    public var statistics: Statistics { Statistics(ratios) }
}
