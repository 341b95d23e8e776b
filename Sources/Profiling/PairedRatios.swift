/// One timing, and whether something disturbed it.
public struct Sample: Sendable, Equatable {
    /// The measured seconds.
    public var seconds: Double
    /// Whether other programs used processor time during the sample, so that its time is
    /// unreliable.
    public var isDisturbed: Bool

    /// Creates a sample.
    public init(seconds: Double, isDisturbed: Bool = false) {
        self.seconds = seconds
        self.isDisturbed = isDisturbed
    }

    /// Whether the time is finite and positive.
    var isUsable: Bool { seconds.isFinite && seconds > 0 }
}

/// Values that may be disturbed.
///
/// Disturbed values are used only while there are too few undisturbed values.
public struct DisturbanceFilter: Sendable, Equatable {
    /// If there are at least this many undisturbed values, disturbed values are ignored.
    ///
    /// It is the minimum number of values for a 95 % interval.
    static let minimumCount = 6

    private var undisturbed: [Double] = []
    private var disturbed: [Double] = []

    /// Creates an empty collection.
    public init() {}

    /// Adds a value.
    public mutating func add(_ value: Double, isDisturbed: Bool) {
        if isDisturbed { disturbed.append(value) } else { undisturbed.append(value) }
    }

    /// Whether disturbed values are used, because there are too few undisturbed values.
    public var areDisturbed: Bool { undisturbed.count < Self.minimumCount && !disturbed.isEmpty }
    /// The values that are used.
    public var values: [Double] { areDisturbed ? undisturbed + disturbed : undisturbed }
    var disturbedCount: Int { disturbed.count }
}

/// The ratios of the times of a candidate and of a reference that is timed with it in every round.
///
/// A disturbance that slows both samples of a round equally does not change their ratio. Rounds
/// with a disturbed sample are ignored if there are enough other rounds.
public struct PairedRatios: Sendable, Equatable {
    private var rounds = DisturbanceFilter()

    /// Creates an empty collection.
    public init() {}

    /// The candidate's time divided by the reference's, for each round that is used.
    public var ratios: [Double] { rounds.values }

    /// The number of rounds with a disturbed sample.
    public var disturbedRounds: Int { rounds.disturbedCount }

    /// Whether disturbed rounds are used, because there are too few undisturbed rounds.
    public var areDisturbed: Bool { rounds.areDisturbed }

    /// Adds the two samples of one round.
    public mutating func add(reference: Sample, candidate: Sample) {
        guard reference.isUsable && candidate.isUsable else { return }
        rounds.add(
            candidate.seconds / reference.seconds,
            isDisturbed: reference.isDisturbed || candidate.isDisturbed)
    }

    /// The statistics of the ratios.
    public var statistics: Statistics { Statistics(ratios) }
}
