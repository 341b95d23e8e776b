internal import Pruning
public import Reporting

/// Makes a model faster on this machine by a measured factor.
///
/// The job profiles the machine, calibrates on text, removes the attention heads and feed-forward
/// neurons that cost the most time for the lowest loss, measures the result against the dense model,
/// and corrects the plan until each target holds. Each stage leaves its product in the output
/// directory: a job that was stopped, and is run again with the same options, resumes behind the last
/// finished stage.
///
/// With ``PruneOptions/recovery`` it goes from target to target, trains the model after each, and
/// prunes on from there.
public struct PruneJob {
    private let options: PruneOptions
    private let progress: any JobProgress

    /// Prepares a prune.
    ///
    /// - Parameters:
    ///   - options: What is asked.
    ///   - progress: Shows how far it is.
    /// - Throws: ``InvalidOptions`` where they are out of range or contradict each other.
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

    /// Runs every stage that has not finished, and writes the models and the report.
    ///
    /// - Returns: The report. Where a target's model lost more than ``PruneOptions/maxLoss``, it holds
    ///   the lower targets, and says so in `refused`.
    /// - Throws: ``InvalidOptions`` where they are nothing for the model, ``QualityRefusal`` where no
    ///   target keeps to `maxLoss`, `SearchError` where a target is out of reach, `RunDirectory.Failure`
    ///   where the output directory belongs to another job, `ModelFileError`, `ProfileError`, or
    ///   `CancellationError`.
    @discardableResult
    public func run() throws -> PruneReport {
        try options.recovery.map {
            try GradualRun(options, recovery: $0, progress: progress).finish()
        } ?? PruneRun(options, progress: progress).finish()
    }
}
