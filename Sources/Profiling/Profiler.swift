public import Tensors
public import Transformers

/// Measures the time of each component at each level, inside the whole model.
///
/// For every kind of component and level, a model with that level in all its layers and no other
/// components is timed, alternately with the dense model. So the weights pass through the caches as
/// in real use. The difference of whole models, divided by the number of layers, is the time of one
/// component. Models with fewer units of both kinds show the difference between the time of a whole
/// model and the sum of its parts. The values of weights do not matter, so only the shape is
/// needed.
public struct Profiler {
    /// The target width of a confidence interval, as a fraction of a whole model's time.
    public var relativeWidth = 0.01
    /// The maximum number of seconds to measure.
    public var timeLimit = 80.0
    /// The minimum number of rounds, so that every level has an interval.
    public var minimumRounds = 7
    /// The seed of the order of measurements.
    public var seed: UInt64 = 1

    /// The progress of a profile.
    public struct Progress: Sendable {
        /// The number of models whose interval is narrow enough.
        public let converged: Int
        /// The number of models to be timed.
        public let total: Int
        /// Seconds since the first measurement.
        public let elapsed: Double
    }

    /// A profile, and the number of models whose interval is wider than requested.
    public struct Result: Sendable {
        /// The profile.
        public let table: LatencyTable
        /// The number of models whose interval was still too wide at the time limit.
        public let unconverged: Int
    }

    /// The number of models that are timed to profile a shape in some formats, besides the dense
    /// model.
    ///
    /// `heads` are further formats of the output head.
    public static func modelCount(
        for shape: ModelShape, in formats: [Precision], heads: [Precision] = []
    ) -> Int {
        Probe.all(of: shape, in: formats, heads: heads).count
    }

    /// Creates a profiler with default settings.
    public init() {}

    /// Measures a shape in an environment.
    ///
    /// - Parameters:
    ///   - shape: The sizes of the dense model, whose layers are all equal.
    ///   - watch: The stopwatch.
    ///   - machine: The machine.
    ///   - created: The date to store, as ISO 8601.
    ///   - version: The version of Espalier to store.
    ///   - progress: Called after every block of samples; may throw an error to stop.
    /// - Returns: The profile.
    /// - Throws: Errors of timing, and errors of `progress`.
    public func profile(
        _ shape: ModelShape, with watch: inout some Stopwatch, on machine: Machine,
        created: String, version: String, progress: (Progress) throws -> Void = { _ in }
    ) throws -> Result {
        let probes = Probe.all(of: shape, in: watch.formats, heads: watch.headFormats)
        let models = try probes.map { try watch.standIn($0.plan, of: shape) }
        let (timings, unconverged) = try watch.time(
            models, stoppingRule: stoppingRule, seed: seed, progress: progress)
        let table = try LatencyTable.measured(
            probes, timings, shape: shape, machine: machine, environment: watch.environment,
            created: created, version: version)
        return Result(table: table, unconverged: unconverged.count)
    }

    /// The formats in which the whole model is faster than in every more precise format.
    ///
    /// - Parameters:
    ///   - shape: The sizes of the dense model.
    ///   - watch: The stopwatch.
    /// - Returns: Formats of the stopwatch, without the environment's.
    /// - Throws: What timing throws.
    public func fasterFormats(
        _ shape: ModelShape, with watch: inout some Stopwatch
    ) throws -> [Precision] {
        let formats = watch.formats.dropFirst()
        let models = try formats.map {
            try watch.standIn(shape, formats: Formats(uniform: $0, layers: shape.layers.count))
        }
        let rule = StoppingRule(
            relativeWidth: 2 * relativeWidth, minimumRounds: minimumRounds,
            timeLimit: Self.formatShare * timeLimit)
        let (timings, _) = try watch.time(models, stoppingRule: rule, seed: seed) { _ in }
        var faster: [Precision] = []
        var fastest = timings.referenceTiming?.seconds ?? .infinity
        for (index, format) in formats.enumerated() {
            guard let seconds = timings.timing(of: index)?.seconds,
                seconds < fastest * (1 - relativeWidth)
            else { continue }
            fastest = seconds
            faster.append(format)
        }
        return faster
    }

    /// The part of the time limit in which whole models in all formats are compared.
    private static let formatShare = 0.1

    /// Measures random plans as whole models, to compare with the table's predictions.
    ///
    /// The models of the table are timed again, alternately with the plans. The new table from
    /// these times predicts the plans. So a difference is an error of the prediction, and not a
    /// change of the machine's speed.
    ///
    /// - Parameters:
    ///   - draft: The profile whose predictions spread the plans over all speedups.
    ///   - count: The number of plans, at least 1.
    ///   - watch: The stopwatch, in the table's environment.
    ///   - progress: Called after every block of samples; may throw an error to stop.
    /// - Returns: The new table with its verification, and the number of models whose interval is
    ///   wider than requested.
    /// - Throws: Errors of timing, and errors of `progress`.
    public func verify(
        _ draft: LatencyTable, plans count: Int, with watch: inout some Stopwatch,
        progress: (Progress) throws -> Void = { _ in }
    ) throws -> Result {
        let shape = draft.shape
        let probes = Probe.all(of: shape, in: watch.formats, heads: watch.headFormats)
        let plans = draft.randomPlans(count, seed: seed)
        let models = try (probes.map(\.plan) + plans).map { try watch.standIn($0, of: shape) }
        let (timings, unconverged) = try watch.time(
            models, stoppingRule: stoppingRule, seed: seed, progress: progress)
        var table = try LatencyTable.measured(
            probes, timings, shape: shape, machine: draft.machine, environment: draft.environment,
            created: draft.created, version: draft.espalierVersion)
        let entries = plans.indices.compactMap { index in
            timings.timing(of: probes.count + index).map {
                Verification.Entry(
                    predicted: table.predict(plans[index]), measured: $0,
                    branchesRemoved: plans[index].components.count { plans[index][$0].isRemoved })
            }
        }
        table.verification = Verification(seed: seed, entries: entries)
        return Result(table: table, unconverged: unconverged.count)
    }

    private var stoppingRule: StoppingRule {
        StoppingRule(
            relativeWidth: relativeWidth, minimumRounds: minimumRounds, timeLimit: timeLimit)
    }
}
