public import Tensors
public import Transformers

/// Times whole models in one environment and one runtime.
public protocol Stopwatch {
    /// A model in the form that the runtime loads.
    associatedtype Subject

    /// The conditions.
    var environment: InferenceEnvironment { get }

    /// The dense model.
    var dense: Subject { get }

    /// The formats that models can have, the environment's first, then in the order of precision.
    var formats: [Precision] { get }

    /// The formats that output heads can have besides the heads of ``formats``.
    var headFormats: [Precision] { get }

    /// A model of a smaller shape, for timing only.
    ///
    /// It does the same work and reads the same number of bytes as a pruned model of that shape,
    /// but its outputs are meaningless. `formats` has members of ``formats`` only, and for the output
    /// head also of ``headFormats``.
    mutating func standIn(_ shape: ModelShape, formats: Formats) throws -> Subject

    /// Does the environment's work with a model, and returns the time of one run.
    mutating func sample(_ subject: Subject) throws -> Sample
}

extension Stopwatch {
    /// The environment's format, which is the default.
    public var formats: [Precision] { [environment.precision] }

    /// No further formats, which is the default.
    public var headFormats: [Precision] { [] }

    /// The model of a plan of the dense model's shape, for timing only.
    mutating func standIn(_ plan: Plan, of shape: ModelShape) throws -> Subject {
        try standIn(
            shape.applying(plan), formats: Formats(of: plan, otherwise: environment.precision))
    }
}
