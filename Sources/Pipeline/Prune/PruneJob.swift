internal import Pruning
public import Reporting

/// Makes a model faster on this machine by a measured factor.
///
/// The job profiles the machine and calibrates on text. It removes the attention heads and
/// feed-forward neurons that save the most time for the lowest loss. It measures the result against
/// the dense model, and corrects the plan until each target is reached. Each stage writes its
/// product to the output directory. If a stopped job runs again with the same options, it resumes
/// after the last finished stage.
///
/// With ``PruneOptions/recovery`` the job prunes to one target after another, and trains the model
/// after each. The next target starts with the trained model.
public struct PruneJob {
    private let options: PruneOptions
    private let progress: any JobProgress

    /// Prepares a prune.
    ///
    /// - Parameters:
    ///   - options: The options of the job.
    ///   - progress: Shows the progress and can stop the job.
    /// - Throws: ``InvalidOptions`` if options are out of range or contradict each other.
    public init(
        _ options: PruneOptions, progress: any JobProgress = SilentProgress()
    ) throws(InvalidOptions) {
        try options.check()
        var options = options
        options.refitTokens = min(options.refitTokens, options.calibrationTokens)
        let baselines = options.baselines
        options.baselines = PruningMethod.allCases.filter { baselines.contains($0) }
        (self.options, self.progress) = (options, progress)
    }

    /// Runs every stage that is not finished, and writes the models and the report.
    ///
    /// - Returns: The report. If a target's model lost more than ``PruneOptions/maxLoss``, the
    ///   report contains the lower targets, and its `refused` describes the loss.
    /// - Throws: ``InvalidOptions`` if options do not suit the model, ``QualityLimitError`` if no
    ///   target is within `maxLoss`, `SearchError` if a target cannot be reached,
    ///   `RunDirectory.Failure` if the output directory belongs to another job, `ModelFileError`,
    ///   `ProfileError`, or `CancellationError`.
    @discardableResult
    public func run() throws -> PruneReport {
        try options.recovery.map {
            try GradualRun(options, recovery: $0, progress: progress).finish()
        } ?? PruneRun(options, progress: progress).finish()
    }
}
