public import Tensors
public import Transformers

/// The divergence of the whole model from the dense one when a part of it is stored in another
/// format, measured on the model.
///
/// Each component of the dense model is stored in each format while all others keep theirs, and so
/// is the output head. The divergences of the components of one format are multiplied by one factor,
/// so that they add up to the divergence of the model whose components all have the format.
public struct FormatDamage: Codable, Sendable, Equatable {
    /// The divergences of one format.
    private struct Damage: Codable, Sendable, Equatable {
        /// The divergence for each attention block, and for each feed-forward block, by layer.
        var attention: [Double]
        var feedForward: [Double]
        /// The divergence for the output head, with a tied token embedding; 0 for encoders.
        var head: Double
        /// The divergence of the model whose components all have the format, divided by the sum of
        /// their own divergences.
        var excess: Double
    }

    private var formats: [Precision: Damage] = [:]

    /// The bounds of the factor by which divergences are multiplied.
    ///
    /// A factor beyond them is caused by divergences below what can be measured.
    private static let excesses = 0.25...4.0

    /// No formats.
    public init() {}

    /// Measures the formats of a model.
    ///
    /// - Parameters:
    ///   - models: The dense model in each format, and in the format of the divergence's dense
    ///     model.
    ///   - divergence: Measures the divergence of a changed model.
    ///   - progress: Called with the number of divergences measured; may throw to stop.
    /// - Throws: ``SurgeonError`` if a divergence is not finite, and what `progress` throws.
    /// - Complexity: For each format, as many forward passes as the model has layers.
    public init(
        of models: [Precision: Model], divergence: ModelDivergence,
        progress: (Int) throws -> Void = { _ in }
    ) throws {
        let dense = divergence.dense
        let layers = dense.shape.layers.indices
        let plan = Plan(keepingAllOf: dense.shape)
        let start = divergence.record(dense)
        var done = 0
        let formats = Precision.allCases.filter { models[$0] != nil && $0 != dense.formats.head }
        for format in formats {
            func measured(_ plan: Plan, layer: Int?) throws -> Double {
                let changed = Model(
                    choosingFrom: models, formats: Formats(of: plan, otherwise: dense.formats.head))
                let measured =
                    layer.map { divergence.of(changed, from: $0, entering: start.entering[$0]) }
                    ?? divergence.of(changed)
                guard measured.isFinite else {
                    throw SurgeonError.divergenceNotFinite(layer: layer ?? layers.count)
                }
                done += 1
                try progress(done)
                return max(measured, 0)
            }
            func measured(_ kind: ComponentKind) throws -> [Double] {
                try layers.map { layer in
                    let component = Component(layer: layer, kind: kind)
                    guard !plan[component].isRemoved else { return 0 }
                    var changed = plan
                    changed[component].format = format
                    return try measured(changed, layer: layer)
                }
            }
            var damage = Damage(
                attention: try measured(.attention), feedForward: try measured(.feedForward),
                head: 0, excess: 1)
            var whole = plan
            for component in dense.shape.components { whole[component].format = format }
            let sum = (damage.attention + damage.feedForward).reduce(0, +)
            let excess = try measured(whole, layer: nil) / max(sum, 1e-12)
            damage.excess = min(max(excess, Self.excesses.lowerBound), Self.excesses.upperBound)
            if !dense.shape.architecture.isEncoder, format.head == format {
                var changed = plan
                changed.headFormat = format
                damage.head = try measured(changed, layer: nil)
            }
            self.formats[format] = damage
        }
    }

    /// The number of divergences that are measured for a shape in some formats.
    public static func count(of shape: ModelShape, formats: Int) -> Int {
        formats * (shape.components.count + (shape.architecture.isEncoder ? 1 : 2))
    }

    /// The divergence of a model in which one component becomes a variant, without the effect of
    /// its removed units; 0 for a variant without a format and for a format that was not measured.
    ///
    /// It is proportional to the kept units.
    ///
    /// - Parameters:
    ///   - component: The component.
    ///   - variant: The variant.
    ///   - units: The units of the whole component.
    /// - Returns: The divergence.
    public func divergence(of component: Component, as variant: Variant, units: Int) -> Double {
        guard let format = variant.format, let damage = formats[format] else { return 0 }
        let whole =
            component.kind == .attention
            ? damage.attention[component.layer] : damage.feedForward[component.layer]
        return damage.excess * whole * Double(variant.units) / Double(units)
    }

    /// The divergence of a model whose output head has a format.
    public func divergence(ofHeadIn format: Precision) -> Double { formats[format]?.head ?? 0 }
}
