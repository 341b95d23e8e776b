public import Tensors
public import Transformers

/// The profile of one model shape on one machine in one environment.
///
/// The environment's format is the format of the dense model that speedups are relative to. The
/// table may also have the times of components in other formats.
///
/// The sum of a plan's parts is the base, which no plan changes, plus the seconds of every
/// component at its level, from the ``LatencyCurve/cleaned`` curves. The predicted time of the
/// whole model is computed from that sum with the ``Interplay``.
public struct LatencyTable: Hashable, Sendable {
    /// The version of the file format that this code reads and writes.
    public static let formatVersion = 1

    /// The version of Espalier that measured the profile.
    public let espalierVersion: String
    /// The time of the measurement, as ISO 8601.
    public let created: String
    /// The machine that was measured.
    public let machine: Machine
    /// The environment of the measurement.
    public let environment: InferenceEnvironment
    /// The sizes of the dense model.
    public let shape: ModelShape
    /// The name of the dense model; nil if the profile does not have it.
    public var model: String?
    /// The seconds of the whole dense model.
    public let dense: Timing
    /// The seconds that no plan changes: embeddings, norms, output head, pooler.
    public let base: Timing
    /// The measured curve of each kind of component that the model has.
    public let curves: [ComponentKind: LatencyCurve]
    /// The times of models in further formats.
    public internal(set) var otherFormats: [Precision: FormatLatencies] = [:]
    /// The seconds of the model without any component, with its output head in further formats.
    public internal(set) var heads: [Precision: Timing] = [:]
    /// The relation between the time of a whole model and the sum of its parts.
    public internal(set) var interplay = Interplay()
    /// The errors of predictions for random plans; nil if they were not measured.
    public var verification: Verification?
    private let cleaned: [ComponentKind: LatencyCurve]

    /// Creates a table; ``check()`` checks whether its parts are consistent.
    public init(
        shape: ModelShape, machine: Machine, environment: InferenceEnvironment, dense: Timing,
        base: Timing,
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

    /// Returns the predicted seconds of a variant of a component.
    ///
    /// The time never increases when units are removed, and is 0 for a removed component.
    ///
    /// - Precondition: The variant has a profiled format.
    public func seconds(of kind: ComponentKind, as variant: Variant) -> Double {
        guard !variant.isRemoved else { return 0 }
        return cleanedCurves(in: variant.format)[kind]?.seconds(keeping: variant.units) ?? 0
    }

    /// Returns the variants in the environment's format that a search needs: each is faster than
    /// every variant with more units.
    ///
    /// Their units are descending, and the removed branch is the last.
    public func usefulVariants(of kind: ComponentKind) -> [Variant] {
        cleaned[kind]?.fallingLevels.map { Variant(units: $0) } ?? [.removed]
    }

    /// Returns the variants in another profiled format that a search needs: each is faster than
    /// every variant of that format with more units.
    ///
    /// Their units are descending, without the removed branch.
    public func usefulVariants(of kind: ComponentKind, in format: Precision) -> [Variant] {
        (cleanedCurves(in: format)[kind]?.fallingLevels ?? []).filter { $0 > 0 }
            .map { Variant(units: $0, format: format) }
    }

    /// The variants of a kind of component in all profiled formats, those of one format together.
    public func variants(of kind: ComponentKind) -> [Variant] {
        usefulVariants(of: kind)
            + profiledFormats.dropFirst().flatMap { usefulVariants(of: kind, in: $0) }
    }

    /// The profiled formats, the environment's first.
    public var profiledFormats: [Precision] {
        [environment.precision] + Precision.allCases.filter { otherFormats[$0] != nil }
    }

    /// The seconds of the dense model in a profiled format.
    public func denseSeconds(in format: Precision) -> Double? {
        format == environment.precision ? dense.seconds : otherFormats[format]?.dense.seconds
    }

    /// The seconds that the output head's format adds to ``base``; 0 for nil.
    ///
    /// - Precondition: The format is profiled.
    public func seconds(ofHeadIn format: Precision?) -> Double {
        guard let format, format != environment.precision.head else { return 0 }
        let other = profiledFormats.first { $0.head == format }.flatMap { otherFormats[$0] }
        guard let timing = heads[format] ?? other?.base else {
            preconditionFailure("the format must be profiled")
        }
        return timing.seconds - base.seconds
    }

    /// The formats that the output head can have besides the environment's, in the order of
    /// precision; none for encoders, which have no output head.
    public var headFormats: [Precision] {
        guard !shape.architecture.isEncoder else { return [] }
        return Precision.allCases.filter { format in
            format != environment.precision.head
                && (heads[format] != nil || otherFormats.keys.contains { $0.head == format })
        }
    }

    private func cleanedCurves(in format: Precision?) -> [ComponentKind: LatencyCurve] {
        guard let format, format != environment.precision else { return cleaned }
        guard let other = otherFormats[format] else {
            preconditionFailure("the format must be profiled")
        }
        return other.cleaned
    }

    /// The time of a plan's model without the correction by ``interplay``: the base and the seconds
    /// of every component.
    ///
    /// If the plan reduces the hidden size, the sum is proportional to the hidden size.
    public func sum(of plan: Plan) -> Double {
        let sum =
            plan.variants(of: .attention)
            .reduce(base.seconds + seconds(ofHeadIn: plan.headFormat)) {
                $0 + seconds(of: .attention, as: $1)
            }
            + plan.variants(of: .feedForward)
            .reduce(0) { $0 + seconds(of: .feedForward, as: $1) }
        return sum * Double(plan.hiddenSize ?? shape.hiddenSize) / Double(shape.hiddenSize)
    }

    /// The predicted seconds of the whole model under a plan.
    public func predict(_ plan: Plan) -> Double {
        interplay.seconds(ofSum: sum(of: plan))
    }

    /// The predicted speedup of a plan over the dense model.
    public func predictedSpeedup(_ plan: Plan) -> Double {
        dense.seconds / predict(plan)
    }

    /// The seconds of the model without any component, in its fastest format, at the dense model's
    /// hidden size.
    public var minimumSeconds: Double {
        (otherFormats.values.map(\.base) + heads.values).reduce(base.seconds) {
            min($0, $1.seconds)
        }
    }

    /// The speedup of the model without any component, at the dense model's hidden size.
    public var maximumSpeedup: Double { dense.seconds / minimumSeconds }

    /// The maximum seconds of a model with this speedup over the dense model.
    public func budget(forSpeedup speedup: Double) -> Double { dense.seconds / speedup }
}
