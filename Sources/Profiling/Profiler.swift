public import Transformers

/// Measures what each component costs at each level, inside the whole model.
///
/// For every kind of component and level, a model with that level in all its layers and nothing
/// else is timed as a whole against the dense model: the weights come through the caches as they
/// will in use, and a difference of whole models, divided by the layers, is the cost of one
/// component. Models with less of both kinds tell how far a whole differs from the sum of its
/// parts. The values of weights do not matter, so only the shape is needed.
public struct Profiler {
    /// Narrowest confidence interval worth waiting for, as a fraction of a whole model's time.
    public var relativeWidth = 0.01
    /// The most seconds to measure for.
    public var timeLimit = 80.0
    /// The least rounds, so that every level has an interval.
    public var leastRounds = 7
    /// The seed of the order of measurements.
    public var seed: UInt64 = 1

    /// What a profile has measured so far.
    public struct Progress: Sendable {
        /// Models whose time is known well enough.
        public let settled: Int
        /// Models to be timed.
        public let total: Int
        /// Seconds since the first measurement.
        public let elapsed: Double
    }

    /// A profile, and how many of the models timed for it are less certain than asked for.
    public struct Result: Sendable {
        /// The profile.
        public let table: LatencyTable
        /// Models that the machine's noise kept from settling within the time limit.
        public let unsettled: Int
    }

    /// How many models are timed to profile a shape, beside the dense one.
    public static func modelCount(for shape: ModelShape) -> Int { Probe.all(of: shape).count }

    /// Creates a profiler with its usual settings.
    public init() {}

    /// Measures a shape in an environment.
    ///
    /// - Parameters:
    ///   - shape: The sizes of the dense model, whose layers agree.
    ///   - watch: What times it.
    ///   - machine: What it runs on.
    ///   - created: The date to store, as ISO 8601.
    ///   - version: The version of Espalier to store.
    ///   - progress: Called every few samples; may throw to stop.
    /// - Returns: The profile.
    /// - Throws: What timing and `progress` throw.
    public func profile(
        _ shape: ModelShape, with watch: inout some Stopwatch, on machine: Machine,
        created: String, version: String, progress: (Progress) throws -> Void = { _ in }
    ) throws -> Result {
        let probes = Probe.all(of: shape)
        let models = try probes.map { try watch.standIn(shape.applying($0.plan)) }
        let (timings, unsettled) = try watch.time(
            models, patience: patience, seed: seed, progress: progress)
        let table = try LatencyTable.measured(
            probes, timings, shape: shape, machine: machine, environment: watch.environment,
            created: created, version: version)
        return Result(table: table, unsettled: unsettled.count)
    }

    /// Measures random plans as whole models, to compare with what a table predicts of them.
    ///
    /// The table's own models are timed anew in turn with the plans', and predict them: what
    /// differs is then the prediction, and not the machine of a minute ago.
    ///
    /// - Parameters:
    ///   - draft: The profile that says which plans are spread over all speedups.
    ///   - count: How many plans, at least 1.
    ///   - watch: What times them in the table's environment.
    ///   - progress: Called every few samples; may throw to stop.
    /// - Returns: The new table with its verification, and how many of its models are less certain
    ///   than asked.
    /// - Throws: What timing and `progress` throw.
    public func verify(
        _ draft: LatencyTable, plans count: Int, with watch: inout some Stopwatch,
        progress: (Progress) throws -> Void = { _ in }
    ) throws -> Result {
        let shape = draft.shape
        let probes = Probe.all(of: shape)
        let plans = draft.randomPlans(count, seed: seed)
        let models = try (probes.map(\.plan) + plans).map {
            try watch.standIn(shape.applying($0))
        }
        let (timings, unsettled) = try watch.time(
            models, patience: patience, seed: seed, progress: progress)
        var table = try LatencyTable.measured(
            probes, timings, shape: shape, machine: draft.machine, environment: draft.environment,
            created: draft.created, version: draft.espalierVersion)
        let entries = plans.indices.compactMap { index in
            timings.timing(of: probes.count + index).map {
                Verification.Entry(
                    predicted: table.predict(plans[index]), measured: $0,
                    branchesRemoved: plans[index].components.count { plans[index][$0] == .removed })
            }
        }
        table.verification = Verification(seed: seed, entries: entries)
        return Result(table: table, unsettled: unsettled.count)
    }

    private var patience: Patience {
        Patience(
            relativeWidth: relativeWidth, leastRounds: leastRounds, timeLimit: timeLimit)
    }
}
