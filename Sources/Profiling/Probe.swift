internal import Foundation
internal import Tensors
internal import Transformers

/// A whole model that is timed to compute the time of its parts.
struct Probe {
    enum Role {
        /// The whole model in a format other than the environment's.
        case whole(Precision)
        /// The model without any component, in a format.
        case base(Precision)
        /// The model without any component, with its output head in a format.
        case head(Precision)
        /// One kind of component at one level in every layer, in a format, and no component of the
        /// other kind. So the noise of other components does not hide the time of the component.
        case level(ComponentKind, Int, Precision)
        /// Components of both kinds at random levels, to measure the interplay of the parts.
        case blend
    }

    let role: Role
    let plan: Plan

    /// The number of blends.
    private static let blends = 15

    /// The minimum fraction of the model that a blend keeps.
    private static let smallestBlend = 0.02

    /// The models to time for a shape.
    ///
    /// The environment's format is the first of `formats`. `heads` are further formats of the output
    /// head.
    static func all(
        of shape: ModelShape, in formats: [Precision], heads: [Precision] = []
    ) -> [Probe] {
        let granularity = LevelGrid.granularity(in: formats)
        let nothing = [Int](repeating: 0, count: shape.layers.count)
        let withHeads = heads.map { format in
            var plan = Plan(attention: nothing, feedForward: nothing)
            plan.headFormat = format
            return Probe(role: .head(format), plan: plan)
        }
        let uniform = formats.enumerated().flatMap { index, format in
            all(of: shape, in: format, isEnvironment: index == 0, granularity)
        }
        return uniform + withHeads
            + mixtures(of: shape, in: formats, heads: heads, granularity)
            .map { Probe(role: .blend, plan: $0) }
    }

    private static func all(
        of shape: ModelShape, in format: Precision, isEnvironment: Bool, _ granularity: Int
    ) -> [Probe] {
        let layers = shape.layers.count
        let nothing = [Int](repeating: 0, count: layers)
        var empty = Plan(attention: nothing, feedForward: nothing)
        if !isEnvironment { empty.headFormat = format.head }
        func variant(_ units: Int) -> Variant {
            Variant(units: units, format: isEnvironment ? nil : format)
        }
        var probes = [Probe(role: .base(format), plan: empty)]
        for kind in ComponentKind.allCases {
            for level in LevelGrid.levels(of: kind, in: shape, granularity: granularity) {
                var plan = empty
                for layer in 0..<layers {
                    plan[Component(layer: layer, kind: kind)] = variant(level)
                }
                probes.append(Probe(role: .level(kind, level, format), plan: plan))
            }
        }
        guard !isEnvironment else { return probes }
        var whole = empty
        for component in shape.components { whole[component] = variant(shape.units(of: component)) }
        return probes + [Probe(role: .whole(format), plan: whole)]
    }

    /// Plans like those of a search, which keep from nearly the whole model to 2 % of it.
    ///
    /// The cost of a feed-forward block is twice that of an attention block. If there are several
    /// formats, each kept component of every other plan has a random format.
    private static func mixtures(
        of shape: ModelShape, in formats: [Precision], heads: [Precision], _ granularity: Int
    ) -> [Plan] {
        let sampler = PlanSampler(
            shape: shape,
            variants: { kind in
                LevelGrid.levels(of: kind, in: shape, granularity: granularity)
                    .map { Variant(units: $0) } + [.removed]
            },
            cost: { kind, variant in
                Double(variant.units) / Double(max(1, shape.maximumLevel(of: kind)))
                    * (kind == .attention ? 1 : 2)
            })
        var random = SplitMix64(seed: 1)
        return (0..<blends).map { index in
            let fraction = pow(smallestBlend, (Double(index) + 0.5) / Double(blends))
            var plan = sampler.plan(
                costing: fraction * 3 * Double(shape.layers.count), using: &random)
            guard formats.count > 1, index % 2 == 1 else { return plan }
            func format() -> Precision? {
                formats.randomElement(using: &random).flatMap { $0 == formats[0] ? nil : $0 }
            }
            for component in plan.components where !plan[component].isRemoved {
                plan[component].format = format()
            }
            plan.headFormat = format().map { heads.contains($0) ? $0 : $0.head }
            return plan
        }
    }
}

extension LatencyTable {
    /// The number of models for one knot of the interplay.
    private static let modelsPerKnot = 4

    /// The standard deviation of times of models with the same sum, as a fraction, even if they are
    /// measured exactly.
    private static let scatter = 0.02

    /// The expected difference between times and sums, as a fraction, before any measurement.
    private static let usualInterplay = 0.1

    /// Computes a table from the times of whole models.
    ///
    /// The table has the base, the time of one component at each level, and the interplay of the
    /// parts.
    ///
    /// Let `T(k, s)` be the time of the model that has only components of kind k, all at level s,
    /// and g the interplay, which maps a sum of parts to a time. The time of one such component is
    /// `(g⁻¹(T(k, s)) − base) / layers`, scaled so that the base and the full components add up to
    /// the dense model.
    ///
    /// A bend of `T(k, ·)` can be caused by the component, or it can occur in all models of a size,
    /// because they fit in a cache. So g is computed first, from all models, with straight lines
    /// for the times of components. The remaining bends are caused by the component.
    static func measured(
        _ probes: [Probe], _ timings: RatioAccumulator, shape: ModelShape, machine: Machine,
        environment: InferenceEnvironment, created: String, version: String
    ) throws(ProfileError) -> LatencyTable {
        guard let dense = timings.referenceTiming else { throw .clockStoodStill }
        var measured = [environment.precision: UniformTimings(dense: dense)]
        var heads: [Precision: Timing] = [:]
        var models: [(plan: Plan, timing: Timing)] = []
        for (index, probe) in probes.enumerated() {
            guard let timing = timings.timing(of: index) else { continue }
            switch probe.role {
            case .whole(let format): measured[format, default: UniformTimings()].dense = timing
            case .base(let format): measured[format, default: UniformTimings()].base = timing
            case .level(let kind, let level, let format):
                measured[format, default: UniformTimings()].levels[kind, default: [:]][level] =
                    timing
            case .head(let format): heads[format] = timing
            case .blend: break
            }
            switch probe.role {
            case .base, .head: break
            case .whole, .level, .blend: models.append((probe.plan, timing))
            }
        }
        func table(_ interplay: Interplay, straight: Bool) throws(ProfileError) -> LatencyTable {
            var latencies: [Precision: FormatLatencies] = [:]
            for (format, timings) in measured {
                latencies[format] = try timings.latencies(
                    layers: shape.layers.count, interplay, straight: straight)
            }
            guard let own = latencies.removeValue(forKey: environment.precision) else {
                throw .clockStoodStill
            }
            var table = LatencyTable(
                shape: shape, machine: machine, environment: environment, dense: own.dense,
                base: own.base, curves: own.curves, created: created, espalierVersion: version)
            (table.otherFormats, table.heads) = (latencies, heads)
            table.interplay = table.interplay(of: models)
            return table
        }
        let straight = try table(Interplay(), straight: true)
        let result = try table(straight.interplay, straight: false)
        try result.check()
        return result
    }

    /// The interplay that maps the sums of plans' parts to the times of their models.
    ///
    /// A model is weighted by the inverse of its variance, and so is the assumption that there is
    /// no interplay.
    private func interplay(of models: [(plan: Plan, timing: Timing)]) -> Interplay {
        let smallest = Interplay.Knot(sum: base.seconds, seconds: base.seconds)
        let largest = Interplay.Knot(
            sum: sum(of: Plan(keepingAllOf: shape)), seconds: dense.seconds)
        let order = models.map { (sum: sum(of: $0.plan), timing: $0.timing) }
            .sorted { $0.sum < $1.sum }
        let between = stride(from: 0, to: order.count, by: Self.modelsPerKnot).map { first in
            let pool = order[first..<min(first + Self.modelsPerKnot, order.count)]
            var (weights, sum, seconds) = (0.0, 0.0, 0.0)
            for model in pool {
                let weight =
                    1 / (model.timing.spread * model.timing.spread + Self.scatter * Self.scatter)
                weights += weight
                sum += weight * model.sum
                seconds += weight * model.timing.seconds
            }
            let none = 1 / (Self.usualInterplay * Self.usualInterplay)
            sum /= weights
            return Interplay.Knot(
                sum: sum, seconds: (seconds + none * sum) / (weights + none))
        }
        // Noise must not change the two ends, which have the smallest errors.
        let inner = between.filter {
            smallest.sum < $0.sum && $0.sum < largest.sum
                && smallest.seconds < $0.seconds && $0.seconds < largest.seconds
        }
        return Interplay(knots: [smallest, largest] + inner)
    }
}

/// The times of models whose matrices all have one format.
private struct UniformTimings {
    /// The time of the whole model.
    var dense: Timing?
    /// The time of the model without any component.
    var base: Timing?
    /// The time of the model that has only components of one kind, all at one level.
    var levels: [ComponentKind: [Int: Timing]] = [:]

    /// The times of single components.
    ///
    /// - Parameters:
    ///   - layers: The number of layers.
    ///   - interplay: The interplay of the parts.
    ///   - straight: Whether curves are replaced by straight lines.
    /// - Returns: The times.
    /// - Throws: ``ProfileError`` if the whole model or the model without components has no time.
    func latencies(
        layers: Int, _ interplay: Interplay, straight: Bool
    ) throws(ProfileError) -> FormatLatencies {
        guard let dense, let base else { throw .clockStoodStill }
        func cost(_ timing: Timing) -> Timing {
            func sum(_ seconds: Double) -> Double {
                max(interplay.sum(ofSeconds: seconds) - base.seconds, 0)
            }
            return Timing(
                seconds: sum(timing.seconds), low: sum(timing.low), high: sum(timing.high),
                samples: timing.samples)
        }
        let curves = levels.mapValues { timings in
            let curve = LatencyCurve(
                entries: timings.map { LatencyCurve.Entry(level: $0, timing: cost($1)) })
            return straight ? curve.straight : curve
        }
        let full = curves.values.reduce(0) { $0 + ($1.entries.first?.seconds ?? 0) }
        let scale = cost(dense).seconds / full / Double(layers)
        return FormatLatencies(
            dense: dense, base: base, curves: curves.mapValues { $0.scaled(by: scale) })
    }
}

extension ProfileError {
    fileprivate static let clockStoodStill = ProfileError(
        file: "profile", field: "dense", problem: "no sample has a positive time",
        remedy: "measure again")
}
