public import Transformers

/// Times whole models in one environment, in some runtime.
public protocol Stopwatch {
    /// A model in the form that the runtime loads.
    associatedtype Subject

    /// The conditions.
    var environment: Environment { get }

    /// The dense model.
    var dense: Subject { get }

    /// A model of a smaller shape, for timing only. It does the same work and reads the same bytes
    /// as such a model, but its values are meaningless.
    mutating func standIn(_ shape: ModelShape) throws -> Subject

    /// Does the environment's work with a model, and returns how long it takes.
    mutating func sample(_ subject: Subject) throws -> Sample
}
