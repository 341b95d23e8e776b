/// Shows the progress of a job, and can stop the job.
///
/// A job calls its progress from the thread that runs the job. The titles and remarks are English
/// sentences for people, and may change.
public protocol JobProgress: Sendable {
    /// Begins a stage of known length.
    ///
    /// - Parameters:
    ///   - title: The name of the work, such as `Calibrating`.
    ///   - total: The number of steps.
    ///   - unit: The name of a step in the plural, such as `layers`.
    /// - Returns: The stage, which the job advances and finishes.
    func begin(_ title: String, total: Int, unit: String) -> any CountedStage

    /// Does the work of a stage of unknown length.
    ///
    /// - Parameters:
    ///   - title: The name of the work, such as `Writing out/1.5x`.
    ///   - work: The work.
    /// - Returns: The result of the work.
    /// - Throws: The error of the work.
    func stage<Result>(_ title: String, _ work: () throws -> Result) throws -> Result

    /// Receives a remark for the user. The job does not wait for an answer.
    func remark(_ text: String)

    /// Receives a remark on a model.
    ///
    /// The remark is repeated whenever a job opens that model.
    func remark(onModel text: String)

    /// Stops the job by throwing; it is called at every step.
    ///
    /// - Throws: `CancellationError` if the job must stop. Finished stages stay in the output
    ///   directory. If the same job runs again, it resumes after them.
    func checkCancellation() throws
}

/// A stage of known length that has begun.
public protocol CountedStage: Sendable {
    /// Receives the number of steps done so far.
    ///
    /// - Parameters:
    ///   - count: The number of steps, at most the stage's total.
    ///   - note: Further text to show, such as a loss. If it is nil, the last note is kept.
    func advance(to count: Int, note: String?)

    /// Ends the stage.
    ///
    /// The stage is complete if all steps were done, and has failed otherwise.
    func finish()
}

extension JobProgress {
    /// Receives a remark on a model, as ``remark(_:)`` does.
    public func remark(onModel text: String) { remark(text) }

    /// Does the work of a stage of known length, and checks for cancellation at every step.
    ///
    /// - Parameters:
    ///   - title: The name of the work.
    ///   - total: The number of steps.
    ///   - unit: The name of a step in the plural.
    ///   - work: The work; it calls its argument with the number of steps done.
    /// - Returns: The result of the work.
    /// - Throws: The error of the work, or `CancellationError`.
    func counting<Result>(
        _ title: String, total: Int, unit: String,
        _ work: (_ advance: (Int) throws -> Void) throws -> Result
    ) throws -> Result {
        let stage = begin(title, total: total, unit: unit)
        defer { stage.finish() }
        return try work { done in
            stage.advance(to: done, note: nil)
            try checkCancellation()
        }
    }

    /// Checks for cancellation.
    ///
    /// It serves as a callback, so it has an argument, which it ignores.
    func check(_: some Any) throws { try checkCancellation() }
}

/// Progress that is not shown.
///
/// The job stops if the task that runs it is cancelled.
public struct SilentProgress: JobProgress {
    /// Creates the progress.
    public init() {}

    /// Begins a stage that shows nothing.
    public func begin(_ title: String, total: Int, unit: String) -> any CountedStage { Stage() }

    /// Does the work.
    public func stage<Result>(_ title: String, _ work: () throws -> Result) throws -> Result {
        try work()
    }

    /// Discards the remark.
    public func remark(_ text: String) {}

    /// Throws if the current task was cancelled.
    public func checkCancellation() throws {
        if Task.isCancelled { throw CancellationError() }
    }

    private struct Stage: CountedStage {
        func advance(to count: Int, note: String?) {}
        func finish() {}
    }
}
