public import Transformers

/// Times whole models in one environment and one runtime.
public protocol Stopwatch {
    /// A model in the form that the runtime loads.
    associatedtype Subject

    /// The conditions.
    var environment: InferenceEnvironment { get }

    /// The dense model.
    var dense: Subject { get }

    /// A model of a smaller shape, for timing only.
    ///
    /// It does the same work and reads the same number of bytes as a pruned model of that shape,
    /// but its outputs are meaningless.
    mutating func standIn(_ shape: ModelShape) throws -> Subject

    /// Does the environment's work with a model, and returns the time of one run.
    mutating func sample(_ subject: Subject) throws -> Sample
}
