/// One timing, and whether something disturbed it.
public struct Sample: Sendable, Equatable {
    /// The seconds that the clock showed.
    public var seconds: Double
    /// Whether other programs used processor time during the sample, so that its time is
    /// unreliable.
    public var isTainted: Bool

    /// Creates a sample.
    public init(seconds: Double, isTainted: Bool = false) {
        self.seconds = seconds
        self.isTainted = isTainted
    }

    /// Whether the time is finite and positive.
    var isUsable: Bool { seconds.isFinite && seconds > 0 }
}

/// Values, of which some were disturbed.
///
/// Disturbed values count only while there are too few others.
public struct CleanFirst: Sendable, Equatable {
    /// The minimum number of undisturbed values that count without the disturbed ones: as many as
    /// an interval needs.
    static let enough = 6

    private var clean: [Double] = []
    private var disturbed: [Double] = []

    /// Creates an empty collection.
    public init() {}

    /// Adds a value.
    public mutating func add(_ value: Double, isTainted: Bool) {
        if isTainted { disturbed.append(value) } else { clean.append(value) }
    }

    /// Whether disturbed values count, because there are too few others.
    public var areDisturbed: Bool { clean.count < Self.enough && !disturbed.isEmpty }
    /// The values that count.
    public var values: [Double] { areDisturbed ? clean + disturbed : clean }
    var taintedCount: Int { disturbed.count }
}

/// The ratios of the times of a candidate and of a reference that is timed with it in every round.
///
/// A disturbance that slows both samples of a round equally does not change their ratio. Rounds
/// with a tainted sample are ignored as soon as there are enough others.
public struct PairedRatios: Sendable, Equatable {
    private var rounds = CleanFirst()

    /// Creates an empty collection.
    public init() {}

    /// Candidate over reference, one value for each round that counts.
    public var ratios: [Double] { rounds.values }

    /// The number of rounds with a tainted sample.
    public var taintedRounds: Int { rounds.taintedCount }

    /// Whether tainted rounds count, because there are too few others.
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
