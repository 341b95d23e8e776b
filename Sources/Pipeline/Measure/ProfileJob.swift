internal import ModelFiles
public import Profiling
internal import Transformers

/// What is asked of a ``ProfileJob``.
public struct ProfileOptions: Sendable {
    /// The model: a path or a hub id.
    ///
    /// Its sizes are enough: a directory with `config.json` alone will do, except with a command as
    /// runtime.
    public var model: String
    /// The conditions.
    public var environment = EnvironmentOptions()
    /// The maximum time to measure; a quarter more with ``plans``.
    public var seconds = 80.0
    /// Decides the order of measurements and the random plans.
    public var seed: UInt64 = 1
    /// How many random plans are measured and compared with the predictions; nil for none.
    public var plans: Int?

    /// Options with defaults for a model.
    public init(_ model: String) { self.model = model }
}

/// Measures what each prunable structure of a model costs on this machine.
public struct ProfileJob {
    /// Where the model is.
    public let location: ModelLocation
    /// The conditions.
    public let environment: Profiling.Environment

    private let options: ProfileOptions
    private let progress: any JobProgress
    private let shape: ModelShape

    /// Reads the model's sizes.
    ///
    /// - Parameters:
    ///   - options: What is asked.
    ///   - progress: Shows how far it is.
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

    /// Measures.
    ///
    /// - Returns: The profile.
    /// - Throws: `ModelFileError` where the layers differ, `CancellationError`, and what measuring
    ///   throws.
    public func run() throws -> LatencyTable {
        try Profiler.profile(
            shape, of: location, in: environment, seconds: options.seconds, seed: options.seed,
            plans: options.plans, progress: progress)
    }
}
