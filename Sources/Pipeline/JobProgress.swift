/// Shows how far a job is, and stops it when asked to.
///
/// A job calls its progress from the thread that runs it. What is shown is for people: titles and
/// remarks are English sentences, and may change.
public protocol JobProgress: Sendable {
    /// Begins a stage of known length.
    ///
    /// - Parameters:
    ///   - title: What is done, such as `Calibrating`.
    ///   - total: How many steps there are.
    ///   - unit: What a step is, in the plural, such as `layers`.
    /// - Returns: The stage, which the job advances and finishes.
    func begin(_ title: String, total: Int, unit: String) -> any CountedStage

    /// Does the work of a stage of unknown length.
    ///
    /// - Parameters:
    ///   - title: What is done, such as `Writing out/1.5x`.
    ///   - work: Does it.
    /// - Returns: What the work returned.
    /// - Throws: What the work threw.
    func stage<Result>(_ title: String, _ work: () throws -> Result) throws -> Result

    /// Takes a remark: what the user should know, but need not wait for.
    func remark(_ text: String)

    /// Takes a remark on a model, which comes again whenever a job opens that model.
    func remark(onModel text: String)

    /// Stops the job by throwing; called at every step.
    ///
    /// - Throws: `CancellationError` where the job is to stop. Stages that have finished are kept in
    ///   the output directory, and the same job run again resumes behind them.
    func checkCancellation() throws
}

/// A stage of known length that has begun.
public protocol CountedStage: Sendable {
    /// Takes the number of steps done so far.
    ///
    /// - Parameters:
    ///   - count: The steps, at most the stage's total.
    ///   - note: What else to show, such as a loss; the last one where it is nil.
    func advance(to count: Int, note: String?)

    /// Ends the stage: it is complete if all steps were done, and has failed if not.
    func finish()
}

extension JobProgress {
    /// A remark like any other.
    public func remark(onModel text: String) { remark(text) }

    /// Does the work of a stage of known length, which checks for cancellation at every step.
    ///
    /// - Parameters:
    ///   - title: What is done.
    ///   - total: How many steps there are.
    ///   - unit: What a step is, in the plural.
    ///   - work: Does it, and calls its argument with the number of steps done.
    /// - Returns: What the work returned.
    /// - Throws: What the work threw, or `CancellationError`.
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

    /// A callback of any argument that checks for cancellation.
    func check(_: some Any) throws { try checkCancellation() }
}

/// Progress that nobody sees.
///
/// The job stops when the task that runs it is cancelled.
public struct SilentProgress: JobProgress {
    /// Creates the progress.
    public init() {}

    /// Begins a stage that shows nothing.
    public func begin(_ title: String, total: Int, unit: String) -> any CountedStage { Stage() }

    /// Does the work.
    public func stage<Result>(_ title: String, _ work: () throws -> Result) throws -> Result {
        try work()
    }

    /// Drops the remark.
    public func remark(_ text: String) {}

    /// Throws where the current task was cancelled.
    public func checkCancellation() throws {
        if Task.isCancelled { throw CancellationError() }
    }

    private struct Stage: CountedStage {
        func advance(to count: Int, note: String?) {}
        func finish() {}
    }
}
