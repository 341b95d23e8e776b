internal import Foundation
public import Transformers

/// The sensitivity of the whole model to removing units of each component, measured on the model.
///
/// A prior is the relative error of one component's output. The change of the model's predictions
/// is not proportional to it, and differs between components. So each component is reduced to some
/// levels while all other components stay dense, and each layer is removed in the same way. The
/// divergence from the dense model is measured after each change. Between measured levels, the
/// divergence is a power of the prior.
public struct Sensitivity: Sendable, Equatable {
    /// A measured level of a component.
    public struct Point: Codable, Sendable, Equatable {
        /// The level's prior, above 0.
        public let prior: Double
        /// The divergence from the dense model if only this component has this level, above 0.
        public let divergence: Double

        private enum CodingKeys: String, CodingKey {
            case prior
            case divergence = "damage"
        }

        /// Creates a point.
        public init(prior: Double, divergence: Double) {
            self.prior = prior
            self.divergence = divergence
        }
    }

    /// The measured levels of every component, priors ascending.
    public private(set) var points: [Component: [Point]] = [:]

    /// The divergence after the removal of each layer, if it was measured.
    public private(set) var layers: [Int: Double] = [:]

    /// A component with many levels is measured at the levels whose priors are nearest to these
    /// values.
    ///
    /// The prior 1 belongs to the removal of the whole branch.
    static let priors = [0.03, 0.1, 0.3, 1]

    /// Measures the components of a model one after another.
    ///
    /// - Parameters:
    ///   - losses: The removal orders and priors.
    ///   - surgery: The dense model and its calibration.
    ///   - divergence: Measures the divergence of a changed model.
    ///   - progress: Called with the number of finished components; may throw an error to stop.
    /// - Throws: ``SurgeonError`` if a divergence is not finite, errors of reading and correcting
    ///   weights, and errors of `progress`.
    /// - Complexity: For each component and prior, and for each layer, half a forward pass, and for
    ///   decoders the output head.
    public init(
        losses: LossTable, surgery: Surgery, divergence: ModelDivergence,
        progress: (Int) throws -> Void = { _ in }
    ) throws {
        let dense = Plan(keepingAllOf: surgery.dense.shape)
        let start = divergence.record(divergence.dense)
        func measured(_ plan: Plan, of layer: Int) throws -> Double {
            let weights = ShrunkWeights(
                plan, losses: losses, surgery: surgery, order: .optimalBrainSurgeon)
            let changed = try divergence.dense.replacing(layer: layer, of: weights)
            let measured = divergence.of(changed, from: layer, entering: start.entering[layer])
            guard measured.isFinite else { throw SurgeonError.divergenceNotFinite(layer: layer) }
            return measured
        }
        for (component, known) in losses.components.sorted(by: { $0.key < $1.key }) {
            let points = try known.levels(nearest: Self.priors).map { level in
                var plan = dense
                plan[component].units = level
                return Point(
                    prior: known.prior(level), divergence: try measured(plan, of: component.layer))
            }
            self.points[component] = Self.rising(points)
            try progress(self.points.count)
        }
        for layer in dense.attention.indices
        where dense.attention[layer] > 0 && dense.feedForward[layer] > 0 {
            var plan = dense
            (plan.attention[layer], plan.feedForward[layer]) = (0, 0)
            layers[layer] = try measured(plan, of: layer)
            try progress(points.count)
        }
    }

    /// Estimates sensitivities without measuring, for models that are too large.
    ///
    /// The divergence is estimated by the error of a component's output, as a share of the residual
    /// stream after it.
    ///
    /// - Parameters:
    ///   - losses: The removal orders and errors.
    ///   - squares: For every layer the mean square norm of the residual stream after it.
    public init(_ losses: LossTable, streamSquares squares: [Double]) {
        self.init(
            losses.components.reduce(into: [:]) { points, entry in
                let share = entry.value.norm / max(squares[entry.key.layer], 1e-30)
                points[entry.key] = [Point(prior: 1, divergence: share)]
            })
    }

    /// Creates sensitivities from known points.
    public init(_ points: [Component: [Point]], layers: [Int: Double] = [:]) {
        self.points = points.mapValues(Self.rising)
        self.layers = layers
    }

    /// Returns the divergence of a component at the level with a given prior; the prior itself for
    /// a component that was not measured.
    ///
    /// Between the measured points `(p₁, d₁)` and `(p₂, d₂)` it is
    /// `d₁ (p / p₁)^(log(d₂/d₁) / log(p₂/p₁))`. Below the first point and above the last one,
    /// the divergence is proportional to the prior.
    public func divergence(of component: Component, prior: Double) -> Double {
        guard let points = points[component], let first = points.first, let last = points.last
        else { return prior }
        guard prior > first.prior else { return first.divergence * prior / first.prior }
        guard let next = points.firstIndex(where: { $0.prior >= prior }) else {
            return last.divergence * prior / last.prior
        }
        let (below, above) = (points[next - 1], points[next])
        let share = log(prior / below.prior) / log(above.prior / below.prior)
        return below.divergence * pow(above.divergence / below.divergence, share)
    }

    /// Sorts points and makes the divergence monotone: it never falls as the prior rises.
    ///
    /// The divergence is at least 1e-9: of two removals that change nothing, the larger one must
    /// cost more.
    private static func rising(_ points: [Point]) -> [Point] {
        var kept: [Point] = []
        for point in points.sorted(by: { $0.prior < $1.prior })
        where point.prior > kept.last?.prior ?? 0 {
            let minimum = kept.last?.divergence ?? 1e-9
            kept.append(Point(prior: point.prior, divergence: max(point.divergence, minimum)))
        }
        return kept
    }
}

extension ComponentLosses {
    /// Returns the levels below the dense level whose priors are nearest to some values, on a
    /// logarithmic scale; all these levels if there are no more of them than values.
    fileprivate func levels(nearest priors: [Double]) -> Set<Int> {
        guard units > priors.count else { return Set(0..<units) }
        return Set(
            priors.compactMap { target in
                (0..<units).min { distance($0, target) < distance($1, target) }
            })
    }

    private func distance(_ level: Int, _ target: Double) -> Double {
        abs(log(max(prior(level), 1e-12) / target))
    }
}

/// Components are written in the order of the forward pass. With sorted keys, equal values
/// therefore give equal files.
extension Sensitivity: Codable {
    private struct File: Codable {
        let components: [Entry]
        let layers: [Int: Double]
    }

    private struct Entry: Codable {
        let component: Component
        let points: [Point]
    }

    /// Reads the measured points.
    public init(from decoder: any Decoder) throws {
        let file = try File(from: decoder)
        points = Dictionary(
            file.components.map { ($0.component, $0.points) },
            uniquingKeysWith: { first, _ in first })
        layers = file.layers
    }

    /// Writes the measured points.
    public func encode(to encoder: any Encoder) throws {
        let components = points.sorted { $0.key < $1.key }
            .map { Entry(component: $0.key, points: $0.value) }
        try File(components: components, layers: layers).encode(to: encoder)
    }
}
