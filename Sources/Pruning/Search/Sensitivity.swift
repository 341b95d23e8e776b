public import Transformers

/// What removing units of each component does to the whole model, measured on the real network.
///
/// A prior, the relative error of one component's output, says nothing of how much the model minds
/// it. From a model that may be pruned already, the rest of every branch is removed in turn, and
/// the damage that adds is put down to the prior that it adds. A search weighs priors by it.
public struct Sensitivity: Codable, Sendable, Equatable {
    /// The damage for each unit of prior, by component; those without units are absent.
    public private(set) var factors: [Component: Double] = [:]

    /// Removes every branch of a plan's model in turn.
    ///
    /// - Parameters:
    ///   - plan: The plan to start from, such as that of the dense model.
    ///   - losses: The removal orders and priors.
    ///   - surgery: The dense model and its calibration.
    ///   - damage: How to judge a changed model.
    ///   - progress: Called with the components done; may throw to stop.
    /// - Throws: What reading and correcting weights throws, or `progress`.
    /// - Complexity: Half a forward pass, and for decoders two output heads, for each component.
    public init(
        at plan: Plan, losses: LossTable, surgery: Surgery, damage: Damage,
        progress: (Int) throws -> Void = { _ in }
    ) throws {
        let weights = ShrunkWeights(
            plan, losses: losses, surgery: surgery, order: .optimalBrainSurgeon)
        let isDense = plan == Plan(keepingAllOf: surgery.dense.shape)
        let model = isDense ? damage.dense : try Model(weights)
        let start = damage.record(model)
        let remaining = losses.components.keys.filter { plan[$0] > 0 }.sorted()
        for (done, component) in remaining.enumerated() {
            let index = component.layer
            var layer = try weights.layer(index)
            layer.remove(component.kind, from: model.shape.architecture)
            var removed = plan
            removed[component] = 0
            let changed = model.replacing(
                layer: index, with: layer,
                sizes: surgery.dense.shape.applying(removed).layers[index])
            let added =
                damage.of(changed, from: index, entering: start.entering[index]) - start.damage
            let prior = 1 - losses.prior(of: component, keeping: plan[component])
            // Not nothing, so that of two removals that do no harm the greater costs more.
            factors[component] = max(added, 1e-9) / max(prior, 1e-9)
            try progress(done + 1)
        }
    }
}

/// Written as a list in the order of the forward pass, so that equal values are equal files.
extension Sensitivity {
    private struct Entry: Codable {
        let component: Component
        let factor: Double
    }

    /// Reads the factors.
    public init(from decoder: any Decoder) throws {
        factors = Dictionary(
            try [Entry](from: decoder).map { ($0.component, $0.factor) },
            uniquingKeysWith: { first, _ in first })
    }

    /// Writes the factors.
    public func encode(to encoder: any Encoder) throws {
        try factors.sorted { $0.key < $1.key }
            .map { Entry(component: $0.key, factor: $0.value) }.encode(to: encoder)
    }
}
