public import Transformers

/// Times whole models in one environment, in whichever runtime.
public protocol Stopwatch {
    /// A model in the form that the runtime takes.
    associatedtype Subject

    /// The conditions.
    var environment: Environment { get }

    /// The dense model.
    var dense: Subject { get }

    /// A model of a smaller shape, for timing only: it does the work and reads the bytes that such
    /// a model would, but its values mean nothing.
    mutating func standIn(_ shape: ModelShape) throws -> Subject

    /// Does the environment's work on a model and says how long it takes.
    mutating func sample(_ subject: Subject) throws -> Sample
}
