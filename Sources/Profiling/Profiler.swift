internal import CHost
public import Tensors
public import Transformers

/// Measures what each component costs at each level, inside the whole model.
///
/// For every kind of component and level, a model with that level in all its layers is timed as
/// a whole against the dense model: the weights come through the caches as they will in use, and
/// a difference of whole models, divided by the layers, is the cost of one component. Weights are
/// random and shared by all levels, so only the shape is needed and nothing is packed twice.
public struct Profiler {
    /// Narrowest confidence interval worth waiting for, as a fraction of a whole model's time.
    public var relativeWidth = 0.01
    /// The most seconds to measure for.
    public var timeLimit = 90.0
    /// The least rounds, so that every level has an interval.
    public var leastRounds = 7
    /// The seed of the order of measurements.
    public var seed: UInt64 = 1

    /// What a profile has measured so far.
    public struct Progress: Sendable {
        /// Levels whose time is known well enough.
        public let settled: Int
        /// Levels to be measured.
        public let total: Int
        /// Seconds since the first measurement.
        public let elapsed: Double
    }

    /// A profile, and how many of its levels are less certain than asked for.
    public struct Result: Sendable {
        /// The profile.
        public let table: LatencyTable
        /// Levels that the machine's noise kept from settling within the time limit.
        public let unsettled: Int
    }

    /// Creates a profiler with its usual settings.
    public init() {}

    /// Measures a shape in an environment.
    ///
    /// - Parameters:
    ///   - shape: The sizes of the dense model, whose layers agree.
    ///   - environment: The conditions.
    ///   - engine: What to run on, of the environment's threads.
    ///   - created: The date to store, as ISO 8601.
    ///   - version: The version of Espalier to store.
    ///   - progress: Called every few samples; may throw to stop.
    /// - Returns: The profile.
    /// - Throws: ``ProfileError`` where the model cannot do such work, or what `progress` throws.
    public func profile(
        _ shape: ModelShape, in environment: Environment, on engine: Engine, created: String,
        version: String, progress: (Progress) throws -> Void = { _ in }
    ) throws -> Result {
        try environment.check(against: shape)
        let dense = try Model(RandomWeights(shape: shape, seed: seed))
        var workload = try Workload(environment, model: dense, engine: engine)
        let probes = Probe.all(of: shape)
        let models = probes.map { dense.resized(to: shape.applying($0.plan)) }
        var interleaver = Interleaver(itemsPerBlock: 6, seed: seed)
        var timings = RatioAccumulator(count: probes.count)
        var waiting = Array(probes.indices)
        let start = host_monotonic_nanoseconds()
        var elapsed = 0.0
        var rounds = 0
        while !waiting.isEmpty, elapsed < timeLimit || rounds == 0 {
            for block in interleaver.nextRound(of: waiting) {
                timings.time(block) { step in
                    switch step {
                    case .reference: workload.sample(dense)
                    case .item(let index): workload.sample(models[index])
                    }
                }
                elapsed = Double(host_monotonic_nanoseconds() - start) * 1e-9
                if rounds > 0, elapsed > timeLimit { break }
                try progress(
                    Progress(
                        settled: probes.count - waiting.count, total: probes.count,
                        elapsed: elapsed))
            }
            rounds += 1
            if rounds >= leastRounds {
                waiting = timings.unsettled(relativeWidth: relativeWidth)
            }
        }
        var machine = Machine.current
        machine.memoryReadBandwidth = MachineLimits.readBandwidth(on: engine)
        let table = try Probe.table(
            probes, timings, shape: shape, machine: machine, environment: environment,
            created: created, version: version)
        return Result(table: table, unsettled: waiting.count)
    }
}

/// A whole model to be timed: one kind of component at one level in every layer.
private struct Probe {
    /// Nil for the model without any component.
    let kind: ComponentKind?
    let level: Int
    let plan: Plan

    static func all(of shape: ModelShape) -> [Probe] {
        let full = Plan(keepingAllOf: shape)
        let layers = shape.layers.count
        let empty = [Int](repeating: 0, count: layers)
        var probes = [Probe(kind: nil, level: 0, plan: Plan(attention: empty, feedForward: empty))]
        for kind in ComponentKind.allCases {
            for level in LevelGrid.levels(of: kind, in: shape).dropFirst() + [0] {
                var plan = full
                for layer in 0..<layers { plan[Component(layer: layer, kind: kind)] = level }
                probes.append(Probe(kind: kind, level: level, plan: plan))
            }
        }
        return probes
    }

    /// Turns times of whole models into a base and the cost of one component at each level.
    ///
    /// With `T(k, s)` the time of the model whose components of kind k are at level s, one such
    /// component costs `(T(k, s) − T(k, 0)) / layers`, scaled so that base and full components
    /// add up to the dense model.
    static func table(
        _ probes: [Probe], _ timings: RatioAccumulator, shape: ModelShape, machine: Machine,
        environment: Environment, created: String, version: String
    ) throws(ProfileError) -> LatencyTable {
        guard let dense = timings.referenceTiming, let base = timings.timing(of: 0) else {
            throw ProfileError(
                file: "profile", field: "dense", problem: "the clock stood still",
                remedy: "measure again")
        }
        var removed: [ComponentKind: Double] = [:]
        for (index, probe) in probes.enumerated() where probe.level == 0 {
            if let kind = probe.kind { removed[kind] = timings.timing(of: index)?.seconds }
        }
        let gained = removed.values.reduce(0) { $0 + dense.seconds - $1 }
        let scale = (dense.seconds - base.seconds) / gained / Double(shape.layers.count)
        var curves: [ComponentKind: LatencyCurve] = [:]
        for (kind, without) in removed {
            let full = shape.greatestLevel(of: kind)
            func entry(_ level: Int, _ timing: Timing) -> LatencyCurve.Entry {
                func cost(_ seconds: Double) -> Double { max((seconds - without) * scale, 1e-9) }
                return LatencyCurve.Entry(
                    level: level,
                    timing: Timing(
                        seconds: cost(timing.seconds), low: cost(timing.low),
                        high: cost(timing.high), samples: timing.samples))
            }
            var entries = [entry(full, dense)]
            for (index, probe) in probes.enumerated() where probe.kind == kind && probe.level > 0 {
                if let timing = timings.timing(of: index) {
                    entries.append(entry(probe.level, timing))
                }
            }
            curves[kind] = LatencyCurve(entries: entries)
        }
        let table = LatencyTable(
            shape: shape, machine: machine, environment: environment, dense: dense, base: base,
            curves: curves, created: created, espalierVersion: version)
        try table.check()
        return table
    }
}
