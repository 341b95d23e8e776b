public import Transformers

/// A model's files, as another runtime loads them.
public struct EmittedModel: Hashable, Sendable {
    /// What the runtime is given: a file or a directory.
    public let path: String
    /// Bytes of weights that it will hold in memory.
    public let byteCount: Int

    /// Names a model's files.
    public init(path: String, byteCount: Int) {
        self.path = path
        self.byteCount = byteCount
    }
}

/// Times models in a runtime other than the built-in one.
public struct RuntimeStopwatch: Stopwatch {
    /// The conditions.
    public let environment: Environment
    /// The dense model's files.
    public let dense: EmittedModel

    private let timer: any ModelTimer
    private let makeStandIn: (ModelShape) throws -> EmittedModel

    /// Starts a runtime.
    ///
    /// - Parameters:
    ///   - environment: The conditions; its runtime is another one than the built-in.
    ///   - shape: The sizes of the dense model.
    ///   - dense: The dense model's files.
    ///   - standIn: Makes the files of a smaller shape, for timing only.
    /// - Throws: ``ProfileError`` where the runtime cannot be started or the model cannot do such
    ///   work.
    public init(
        _ environment: Environment, shape: ModelShape, dense: EmittedModel,
        standIn: @escaping (ModelShape) throws -> EmittedModel
    ) throws {
        try environment.check(against: shape)
        switch Runtime(environment.runtime) {
        case .onnxRuntime: timer = try ONNXRuntimeTimer(environment, shape: shape)
        case .command(let command): timer = CommandTimer(command, environment: environment)
        case .builtIn, nil: preconditionFailure("no other runtime")
        }
        self.environment = environment
        self.dense = dense
        makeStandIn = standIn
    }

    /// The files of a smaller shape.
    public func standIn(_ shape: ModelShape) throws -> EmittedModel { try makeStandIn(shape) }

    /// Has the runtime do the work once.
    public func sample(_ model: EmittedModel) throws -> Sample { try timer.sample(model) }
}

/// Has a runtime do an environment's work.
protocol ModelTimer {
    /// Times one run.
    ///
    /// - Throws: ``ProfileError`` where the runtime fails.
    func sample(_ model: EmittedModel) throws -> Sample
}
