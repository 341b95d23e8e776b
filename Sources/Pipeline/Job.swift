/// Options that can contradict each other.
public protocol JobOptions: Sendable {
    /// Refuses options that contradict each other.
    ///
    /// - Throws: ``InvalidOptions``.
    func check() throws(InvalidOptions)
}

/// A job that is created from its options alone.
///
/// The method `run` of the job does the work.
public struct Job<Options: JobOptions> {
    let options: Options
    let progress: any JobProgress

    /// Prepares the job.
    ///
    /// - Parameters:
    ///   - options: The options of the job.
    ///   - progress: Shows the progress and can stop the job.
    /// - Throws: ``InvalidOptions``.
    public init(
        _ options: Options, progress: any JobProgress = SilentProgress()
    ) throws(InvalidOptions) {
        try options.check()
        (self.options, self.progress) = (options, progress)
    }
}
