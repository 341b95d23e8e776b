public import Transformers

/// The profile of one model shape on one machine in one environment: a pure value.
///
/// A plan's parts take the base, which no plan changes, plus the seconds of every component at its
/// level, of the curves as ``LatencyCurve/cleaned``; its prediction is what a whole model
/// of such parts takes by their ``Interplay``.
public struct LatencyTable: Hashable, Sendable {
    /// The version of the file format that this code reads and writes.
    public static let formatVersion = 1

    /// The version of Espalier that measured.
    public let espalierVersion: String
    /// When it was measured, as ISO 8601.
    public let created: String
    /// The machine that was measured.
    public let machine: Machine
    /// What was measured.
    public let environment: Environment
    /// The sizes of the dense model.
    public let shape: ModelShape
    /// What the dense model is called; nil in profiles that do not say.
    public var model: String?
    /// The whole dense model.
    public let dense: Timing
    /// What no plan changes: embeddings, norms, output head, pooler.
    public let base: Timing
    /// The measured curve of each kind of component that the model has.
    public let curves: [ComponentKind: LatencyCurve]
    /// How whole models differ from the sum of their parts.
    public internal(set) var interplay = Interplay()
    /// How well random plans were foretold, where that was measured.
    public var verification: Verification?
    private let cleaned: [ComponentKind: LatencyCurve]

    /// Creates a table; ``check()`` says whether its parts fit together.
    public init(
        shape: ModelShape, machine: Machine, environment: Environment, dense: Timing, base: Timing,
        curves: [ComponentKind: LatencyCurve], created: String, espalierVersion: String
    ) {
        self.shape = shape
        self.machine = machine
        self.environment = environment
        self.dense = dense
        self.base = base
        self.curves = curves
        self.created = created
        self.espalierVersion = espalierVersion
        cleaned = curves.mapValues(\.cleaned)
    }

    /// The fingerprint of the dense model's sizes.
    public var shapeDigest: ShapeDigest { ShapeDigest(shape) }

    /// The predicted seconds of one component that becomes a variant.
    ///
    /// Never more for fewer units, and none for a removed branch.
    public func seconds(of kind: ComponentKind, as variant: Variant) -> Double {
        cleaned[kind]?.seconds(keeping: variant.units) ?? 0
    }

    /// The variants of a kind of component worth choosing, units descending, the removed branch last.
    public func usefulVariants(of kind: ComponentKind) -> [Variant] {
        cleaned[kind]?.fallingLevels.map { Variant(units: $0) } ?? [.removed]
    }

    /// The seconds of the parts of a plan's model together: what a search adds up.
    ///
    /// Where the plan narrows the residual stream, all are taken to fall as its width does.
    public func sum(of plan: Plan) -> Double {
        let sum =
            plan.variants(of: .attention)
            .reduce(base.seconds) { $0 + seconds(of: .attention, as: $1) }
            + plan.variants(of: .feedForward)
            .reduce(0) { $0 + seconds(of: .feedForward, as: $1) }
        return sum * Double(plan.hiddenSize ?? shape.hiddenSize) / Double(shape.hiddenSize)
    }

    /// The predicted seconds of the whole model under a plan.
    public func predict(_ plan: Plan) -> Double {
        interplay.seconds(ofSum: sum(of: plan))
    }

    /// How many times faster than the dense model a plan is predicted to be.
    public func predictedSpeedup(_ plan: Plan) -> Double {
        dense.seconds / predict(plan)
    }

    /// The speedup of the plan that keeps nothing; no target can lie beyond it.
    public var greatestSpeedup: Double { dense.seconds / base.seconds }

    /// The seconds that a model may take to be some times faster than the dense one.
    public func budget(forSpeedup speedup: Double) -> Double { dense.seconds / speedup }
}
