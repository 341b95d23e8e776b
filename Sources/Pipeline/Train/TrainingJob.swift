/// Trains a model, pruned or not, on text or on a task.
///
/// Weights are trained in f32 by AdamW. A job that was stopped and is run again resumes after its
/// last checkpoint, and its model has the same bytes.
public struct TrainingJob {
    private let training: TrainingRun

    /// Reads the data, and locks the output directory.
    ///
    /// - Parameters:
    ///   - options: What is asked.
    ///   - progress: Shows how far it is.
    /// - Throws: ``InvalidOptions``, `ModelFileError` if the data does not suit the model, or is too
    ///   little, `RunDirectory.Failure`, or `CancellationError`.
    public init(_ options: TrainingOptions, progress: any JobProgress = SilentProgress()) throws {
        training = try TrainingRun(options, progress: progress)
    }

    /// Trains to the end, and evaluates.
    ///
    /// - Returns: What was measured, and where the model is.
    /// - Throws: `ModelFileError`, or `CancellationError`.
    public func run() throws -> TrainingResult { try training.finish() }
}
