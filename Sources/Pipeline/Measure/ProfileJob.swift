internal import ModelFiles
public import Profiling
public import Tensors
internal import Transformers

/// The options of a ``ProfileJob``.
public struct ProfileOptions: Sendable {
    /// The model: a path or a hub id.
    ///
    /// A directory with only `config.json` is enough, because only the sizes are needed. If the
    /// runtime is a command, the complete model is needed.
    public var model: String
    /// The conditions of timing.
    public var environment = EnvironmentOptions()
    /// The maximum time to measure, in seconds; with ``plans`` it is a quarter longer.
    public var seconds = 80.0
    /// The formats of fewer bits than the environment's that are also profiled, if the dense model
    /// is faster in them.
    public var formats = Precision.allCases
    /// The seed of the order of measurements and of the random plans.
    public var seed: UInt64 = 1
    /// The number of random plans that are measured and compared with the predictions; nil for
    /// none.
    public var plans: Int?

    /// Options with defaults for a model.
    public init(_ model: String) { self.model = model }
}

/// Measures what each prunable structure of a model costs on this machine.
public struct ProfileJob {
    /// The location of the model.
    public let location: ModelLocation
    /// The conditions of timing.
    public let environment: InferenceEnvironment

    private let options: ProfileOptions
    private let progress: any JobProgress
    private let shape: ModelShape

    /// Reads the model's sizes.
    ///
    /// - Parameters:
    ///   - options: The options of the job.
    ///   - progress: Shows the progress and can stop the job.
    /// - Throws: `ModelFileError`, `ProfileError`, or `CancellationError`.
    public init(_ options: ProfileOptions, progress: any JobProgress = SilentProgress()) throws {
        (self.options, self.progress) = (options, progress)
        location = try ModelLocation(options.model, progress: progress)
        let (shape, remarks) = try ModelShape.read(location.path)
        for remark in remarks { progress.remark(onModel: remark) }
        self.shape = shape
        environment = try options.environment.environment(
            for: shape, adding: MachineLimits.probeBytes)
    }

    /// Measures the profile.
    ///
    /// - Returns: The profile.
    /// - Throws: `ModelFileError` if the layers differ, `CancellationError`, or the errors of
    ///   measuring.
    public func run() throws -> LatencyTable {
        try Profiler.profile(
            shape, of: location, in: environment, seconds: options.seconds, seed: options.seed,
            plans: options.plans,
            formats: options.formats.filter { $0.bits < environment.precision.bits },
            progress: progress)
    }
}
