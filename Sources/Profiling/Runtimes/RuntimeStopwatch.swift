public import Transformers

/// The files of a model that a runtime other than the built-in one loads.
public struct EmittedModel: Hashable, Sendable {
    /// The file or directory that the runtime loads.
    public let path: String
    /// The bytes of the weights that the runtime loads into memory.
    public let byteCount: Int

    /// Creates the description of a model's files.
    public init(path: String, byteCount: Int) {
        self.path = path
        self.byteCount = byteCount
    }
}

/// Times models in a runtime other than the built-in one.
public struct RuntimeStopwatch: Stopwatch {
    /// The conditions.
    public let environment: InferenceEnvironment
    /// The dense model's files.
    public let dense: EmittedModel

    private let timer: any ModelTimer
    private let makeStandIn: (ModelShape) throws -> EmittedModel

    /// Starts a runtime.
    ///
    /// - Parameters:
    ///   - environment: The conditions; the runtime is not the built-in one.
    ///   - shape: The sizes of the dense model.
    ///   - dense: The dense model's files.
    ///   - standIn: Writes the files of a smaller shape, for timing only.
    /// - Throws: ``ProfileError`` if the runtime cannot be started, or if the model cannot do this
    ///   work.
    public init(
        _ environment: InferenceEnvironment, shape: ModelShape, dense: EmittedModel,
        standIn: @escaping (ModelShape) throws -> EmittedModel
    ) throws {
        try environment.check(against: shape)
        switch Runtime(environment.runtime) {
        case .onnxRuntime: timer = try ONNXRuntimeTimer(environment, shape: shape)
        case .command(let command): timer = CommandTimer(command, environment: environment)
        case .builtIn, nil: preconditionFailure("the built-in runtime has no files")
        }
        self.environment = environment
        self.dense = dense
        makeStandIn = standIn
    }

    /// The files of a smaller shape; their format is the environment's.
    public func standIn(_ shape: ModelShape, formats: Formats) throws -> EmittedModel {
        try makeStandIn(shape)
    }

    /// Runs the work once in the runtime.
    public func sample(_ model: EmittedModel) throws -> Sample { try timer.sample(model) }
}

/// Runs the work of an environment in a runtime.
protocol ModelTimer {
    /// Times one run.
    ///
    /// - Throws: ``ProfileError`` if the runtime fails.
    func sample(_ model: EmittedModel) throws -> Sample
}
