internal import Foundation
internal import Tensors
internal import Transformers

/// A whole model that is timed to compute the time of its parts.
struct Probe {
    enum Role {
        /// The model without any component.
        case base
        /// One kind of component at one level in every layer, and no component of the other kind.
        /// So the noise of other components does not hide the time of the component.
        case level(ComponentKind, Int)
        /// Components of both kinds at random levels, to measure the interplay of the parts.
        case blend
    }

    let role: Role
    let plan: Plan

    /// The number of blends.
    private static let blends = 15

    /// The minimum fraction of the model that a blend keeps.
    private static let smallestBlend = 0.02

    static func all(of shape: ModelShape) -> [Probe] {
        let layers = shape.layers.count
        let nothing = [Int](repeating: 0, count: layers)
        let empty = Plan(attention: nothing, feedForward: nothing)
        var probes = [Probe(role: .base, plan: empty)]
        for kind in ComponentKind.allCases {
            for level in LevelGrid.levels(of: kind, in: shape) {
                var plan = empty
                for layer in 0..<layers {
                    plan[Component(layer: layer, kind: kind)].units = level
                }
                probes.append(Probe(role: .level(kind, level), plan: plan))
            }
        }
        return probes + mixtures(of: shape).map { Probe(role: .blend, plan: $0) }
    }

    /// Plans like those of a search, which keep from nearly the whole model to 2 % of it.
    ///
    /// The cost of a feed-forward block is twice that of an attention block.
    private static func mixtures(of shape: ModelShape) -> [Plan] {
        let sampler = PlanSampler(
            shape: shape,
            variants: { kind in
                LevelGrid.levels(of: kind, in: shape).map { Variant(units: $0) } + [.removed]
            },
            cost: { kind, variant in
                Double(variant.units) / Double(max(1, shape.maximumLevel(of: kind)))
                    * (kind == .attention ? 1 : 2)
            })
        var random = SplitMix64(seed: 1)
        return (0..<blends).map { index in
            let fraction = pow(smallestBlend, (Double(index) + 0.5) / Double(blends))
            return sampler.plan(
                costing: fraction * 3 * Double(shape.layers.count), using: &random)
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
        guard let dense = timings.referenceTiming, let base = timings.timing(of: 0) else {
            throw ProfileError(
                file: "profile", field: "dense", problem: "no sample has a positive time",
                remedy: "measure again")
        }
        var levels: [ComponentKind: [Int: Timing]] = [:]
        var models: [(plan: Plan, timing: Timing)] = []
        for (index, probe) in probes.enumerated() {
            guard let timing = timings.timing(of: index) else { continue }
            if case .level(let kind, let level) = probe.role {
                levels[kind, default: [:]][level] = timing
            }
            if case .base = probe.role { continue }
            models.append((probe.plan, timing))
        }
        func table(_ curves: [ComponentKind: LatencyCurve]) -> LatencyTable {
            var table = LatencyTable(
                shape: shape, machine: machine, environment: environment, dense: dense, base: base,
                curves: curves, created: created, espalierVersion: version)
            table.interplay = table.interplay(of: models)
            return table
        }
        func curves(_ interplay: Interplay, straight: Bool = false) -> [ComponentKind: LatencyCurve]
        {
            Self.curves(
                levels, straight: straight, dense: dense, base: base, shape: shape, interplay)
        }
        let straight = table(curves(Interplay(), straight: true))
        let result = table(curves(straight.interplay))
        try result.check()
        return result
    }

    private static func curves(
        _ levels: [ComponentKind: [Int: Timing]], straight: Bool, dense: Timing, base: Timing,
        shape: ModelShape, _ interplay: Interplay
    ) -> [ComponentKind: LatencyCurve] {
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
        let scale = (dense.seconds - base.seconds) / full / Double(shape.layers.count)
        return curves.mapValues { $0.scaled(by: scale) }
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
