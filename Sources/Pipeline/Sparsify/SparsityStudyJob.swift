public import ContextualSparsity
internal import ModelFiles
internal import Tensors
internal import Transformers

/// The options of a ``SparsityStudyJob``.
public struct SparsityStudyOptions: Sendable {
    /// The model, a decoder: a path or a hub id.
    public var model: String
    /// A file of plain text to predict.
    public var text: String
    /// The number of tokens of a window, limited to the model's positions.
    public var window = 512
    /// The number of windows, counted from the first.
    public var windows = 5
    /// The number of threads.
    public var threads = EnvironmentOptions.defaultThreads

    /// Options with defaults for a model and a text.
    public init(_ model: String, text: String) { (self.model, self.text) = (model, text) }
}

/// Measures how many heads and neurons each token of a decoder needs.
///
/// A fifth of the windows is used to find thresholds. The remaining windows test them.
public struct SparsityStudyJob {
    private let options: SparsityStudyOptions
    private let progress: any JobProgress

    /// Prepares a study.
    ///
    /// - Parameters:
    ///   - options: The options of the job.
    ///   - progress: Shows the progress and can stop the job.
    public init(_ options: SparsityStudyOptions, progress: any JobProgress = SilentProgress()) {
        (self.options, self.progress) = (options, progress)
    }

    /// Measures the heads and neurons that tokens need.
    ///
    /// - Returns: The measurements.
    /// - Throws: `ModelFileError`, or `CancellationError`.
    public func run() throws -> SparsityStudy {
        let opened = try OpenedModel(options.model, progress: progress)
        let length = min(options.window, opened.shape.maximumPositions)
        let windows = try opened.windows(
            ofText: options.text, tokens: options.windows * length, length: length,
            encoderRemedy: "name a decoder")
        guard windows.count > 1 else {
            throw ModelFileError(
                file: options.text, problem: "it has fewer than two windows of text",
                remedy: "give a longer text, or a smaller --window")
        }
        let count = max(1, windows.count / 5)
        let (scores, model) = (try UnitScores(opened.checkpoint), try opened.packed(in: .f32))
        return try progress.counting(
            "Studying", total: SparsityStudy.trialCount, unit: "trials"
        ) { advance in
            try SparsityStudy(
                of: model, scores: scores, calibration: Array(windows.prefix(count)),
                windows: Array(windows.dropFirst(count)),
                engine: Engine(threads: options.threads), progress: advance)
        }
    }
}
