internal import Foundation
internal import Tensors
public import Transformers

/// What removing units of one component does to the whole model, measured.
///
/// The prior of a level, a relative error of one component's output, says nothing of how much the
/// model minds. Two removals from each component are tried on the real network, the whole branch
/// (prior 1) and a part of it, and the damage at other levels follows the power law through both:
/// `damage(p) = damage(1) · p^b`.
public struct Sensitivity: Codable, Sendable, Equatable {
    /// The measurements of one component.
    public struct Points: Codable, Sendable, Equatable {
        /// The damage of removing the whole branch.
        public let whole: Double
        /// The prior of the part that was removed.
        public let prior: Double
        /// The damage of removing it.
        public let part: Double

        /// The exponent `b`, within reason.
        var exponent: Double {
            guard prior > 0, prior < 1, whole > 0, part > 0 else { return 1 }
            return min(max(log(part / whole) / log(prior), 0.5), 3)
        }
    }

    /// The measurements by component.
    public private(set) var points: [Component: Points] = [:]

    /// The prior that a part to be tried should have.
    private static let wantedPrior = 0.1

    /// Tries removals from every component.
    ///
    /// - Parameters:
    ///   - losses: The removal orders and priors.
    ///   - surgery: The dense model and its calibration.
    ///   - damage: How to judge a changed model.
    ///   - progress: Called with the components done; may throw to stop.
    /// - Throws: What reading and correcting weights throws, or `progress`.
    public init(
        _ losses: LossTable, surgery: Surgery, damage: Damage,
        progress: (Int) throws -> Void = { _ in }
    ) throws {
        let full = Plan(keepingAllOf: surgery.dense.shape)
        for (done, component) in losses.components.keys.sorted().enumerated() {
            guard let removal = losses.components[component] else { continue }
            func damageDone(keeping level: Int) throws -> Double {
                var plan = full
                plan[component] = level
                let weights = ShrunkWeights(
                    plan, losses: losses, surgery: surgery, order: .optimalBrainSurgeon)
                let layer = component.layer
                let model = damage.dense.replacing(
                    layer: layer, with: try weights.layer(layer),
                    sizes: weights.shape.layers[layer])
                return max(damage.of(model, changedFrom: layer), 0)
            }
            let level = removal.level(ofPrior: Self.wantedPrior)
            points[component] = Points(
                whole: try damageDone(keeping: 0), prior: removal.prior(level),
                part: level > 0 ? try damageDone(keeping: level) : 0)
            try progress(done + 1)
        }
    }

    /// The damage that a component's level is expected to do to the model.
    public func loss(_ component: Component, prior: Double) -> Double {
        guard let points = points[component], prior > 0 else { return 0 }
        return points.whole * pow(prior, points.exponent)
    }
}

extension ComponentLosses {
    /// The level below the full one whose prior is nearest to a value, as ratios go.
    fileprivate func level(ofPrior wanted: Double) -> Int {
        func distance(_ level: Int) -> Double { abs(log(max(prior(level), 1e-12) / wanted)) }
        return (0..<units).min { distance($0) < distance($1) } ?? 0
    }
}
