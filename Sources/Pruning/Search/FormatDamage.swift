public import Tensors
public import Transformers

/// The divergence of the whole model from the dense one when a part of it is stored in another
/// format, measured on the model.
///
/// Each component of the dense model is stored in each format of integers while all others keep
/// theirs, and so is the output head. The divergences of the components of one format are multiplied
/// by one factor, so that they add up to the divergence of the model whose components all have the
/// format.
///
/// The divergence of one component in a format of floats is too small to be measured. So only the
/// whole model is measured, and each component has a share in proportion to its parameters.
public struct FormatDamage: Codable, Sendable, Equatable {
    /// The divergences of one format.
    fileprivate struct Damage: Codable, Sendable, Equatable {
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
    ///   - heads: The dense model with output heads in further formats.
    ///   - divergence: Measures the divergence of a changed model.
    ///   - progress: Called with the number of divergences measured; may throw to stop.
    /// - Throws: ``SurgeonError`` if a divergence is not finite, and what `progress` throws.
    /// - Complexity: For each format of integers, as many forward passes as the model has layers;
    ///   for each other format two.
    public init(
        of models: [Precision: Model], heads: [Precision: Model] = [:],
        divergence: ModelDivergence,
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
                    choosingFrom: models, heads: heads,
                    formats: Formats(of: plan, otherwise: dense.formats.head))
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
            var allChanged = plan
            for component in dense.shape.components { allChanged[component].format = format }
            let whole = try measured(allChanged, layer: nil)
            var damage: Damage
            if format.isInteger {
                damage = Damage(
                    attention: try measured(.attention), feedForward: try measured(.feedForward),
                    head: 0, excess: 1)
                let sum = (damage.attention + damage.feedForward).reduce(0, +)
                damage.excess = min(
                    max(whole / max(sum, 1e-12), Self.excesses.lowerBound),
                    Self.excesses.upperBound)
            } else {
                damage = Damage(sharing: whole, by: dense.shape)
            }
            if Self.hasHead(dense.shape, format, heads: Array(heads.keys)) {
                var changed = plan
                changed.headFormat = format
                damage.head = try measured(changed, layer: nil)
            }
            self.formats[format] = damage
        }
    }

    /// The number of divergences that are measured for a shape in some formats.
    ///
    /// `heads` are further formats of the output head.
    public static func count(
        of shape: ModelShape, formats: [Precision], heads: [Precision] = []
    ) -> Int {
        formats.reduce(0) { sum, format in
            sum + (format.isInteger ? shape.components.count : 0)
                + (hasHead(shape, format, heads: heads) ? 2 : 1)
        }
    }

    /// Whether the output head of a model can have a format.
    private static func hasHead(
        _ shape: ModelShape, _ format: Precision, heads: [Precision]
    ) -> Bool {
        !shape.architecture.isEncoder && (format.head == format || heads.contains(format))
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

extension FormatDamage.Damage {
    /// Divides the divergence of a whole model among its components by their parameters.
    fileprivate init(sharing whole: Double, by shape: ModelShape) {
        func parameters(_ kind: ComponentKind) -> [Double] {
            shape.layers.indices.map { layer in
                var without = Plan(keepingAllOf: shape)
                without[Component(layer: layer, kind: kind)] = .removed
                return Double(shape.parameters - shape.applying(without).parameters)
            }
        }
        let (attention, feedForward) = (parameters(.attention), parameters(.feedForward))
        let share = whole / max((attention + feedForward).reduce(0, +), 1)
        self.init(
            attention: attention.map { $0 * share }, feedForward: feedForward.map { $0 * share },
            head: 0, excess: 1)
    }
}
