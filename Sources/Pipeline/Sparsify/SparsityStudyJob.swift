public import ContextualSparsity
internal import ModelFiles
internal import Tensors
internal import Transformers

/// What is asked of a ``SparsityStudyJob``.
public struct SparsityStudyOptions: Sendable {
    /// The model, a decoder: a path or a hub id.
    public var model: String
    /// A file of plain text to predict.
    public var text: String
    /// Tokens of a window, cut to the model's positions.
    public var window = 512
    /// How many windows, from the first on.
    public var windows = 5
    /// How many threads compute.
    public var threads = EnvironmentOptions.defaultThreads

    /// Options with defaults for a model and a text.
    public init(_ model: String, text: String) { (self.model, self.text) = (model, text) }
}

/// Measures how few heads and neurons each token of a decoder needs.
///
/// A fifth of the windows serve to find thresholds, the others to try.
public struct SparsityStudyJob {
    private let options: SparsityStudyOptions
    private let progress: any JobProgress

    /// Prepares a study.
    ///
    /// - Parameters:
    ///   - options: What is asked.
    ///   - progress: Shows how far it is.
    public init(_ options: SparsityStudyOptions, progress: any JobProgress = SilentProgress()) {
        (self.options, self.progress) = (options, progress)
    }

    /// Measures.
    ///
    /// - Returns: What was measured.
    /// - Throws: `ModelFileError`, or `CancellationError`.
    public func run() throws -> SparsityStudy {
        let opened = try OpenedModel(options.model, progress: progress)
        let length = min(options.window, opened.shape.maximumPositions)
        let windows = try opened.windows(
            ofText: options.text, tokens: options.windows * length, length: length,
            encoderRemedy: "name a decoder")
        guard windows.count > 1 else {
            throw ModelFileError(
                file: options.text, problem: "it holds less than two windows",
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
