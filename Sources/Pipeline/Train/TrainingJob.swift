/// Trains a model, pruned or not, on text or on a task.
///
/// Weights are trained in f32 with AdamW. If a stopped job runs again, it resumes after its last
/// checkpoint, and its model has the same bytes.
public struct TrainingJob {
    private let training: TrainingRun

    /// Reads the data, and locks the output directory.
    ///
    /// - Parameters:
    ///   - options: The options of the job.
    ///   - progress: Shows the progress and can stop the job.
    /// - Throws: ``InvalidOptions``, `ModelFileError` if the data does not suit the model or is too
    ///   short, `RunDirectory.Failure`, or `CancellationError`.
    public init(_ options: TrainingOptions, progress: any JobProgress = SilentProgress()) throws {
        training = try TrainingRun(options, progress: progress)
    }

    /// Trains to the end, and evaluates.
    ///
    /// - Returns: The measurements, and the directory of the model.
    /// - Throws: `ModelFileError`, or `CancellationError`.
    public func run() throws -> TrainingResult { try training.finish() }
}
