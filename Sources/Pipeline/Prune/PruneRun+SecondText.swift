internal import Evaluation
internal import Foundation
internal import ModelFiles
internal import Pruning
internal import Reporting
internal import Tokenizers
internal import Transformers

/// A text that quality is measured on.
enum EvaluationSet {
    /// The part of the calibration text that is not used for calibration.
    case heldOut
    /// A text of another kind.
    case second
}

/// A text of another kind than the calibration text.
///
/// It shows quality losses that the held-out part of the calibration text does not show.
struct SecondText {
    /// The name of the text in the report.
    let name: String
    /// Whether the text was given or is part of the program.
    let origin: SecondTextOrigin
    /// The sequences to evaluate on.
    let sequences: [[Int32]]

    /// The maximum number of tokens for evaluation.
    private static let maximumTokens = 8192

    /// Cuts the user's text or the built-in text in the same way as calibration text.
    ///
    /// - Throws: `ModelFileError` if the text cannot be read or is too short.
    init(
        _ path: String?, tokenizer: some Tokenizer, shape: ModelShape, sequence: Int,
        calibrationTokens: Int
    ) throws {
        let contents =
            try path.map {
                try InputFile(path: $0).text(atMost: PruneInputs.maximumBytes)
            } ?? BundledText.text
        var pieces: [[Int32]]
        if shape.architecture.isEncoder {
            pieces = framedPieces(
                of: contents, tokenizer: tokenizer, length: min(sequence, shape.maximumPositions))
        } else {
            let length = min(512, shape.maximumPositions)
            pieces = windows(
                of: tokenizer.encode(contents, addingSpecialTokens: false), length: length)
            if pieces.count > 1, let last = pieces.last, last.count < length {
                pieces.removeLast()
            }
        }
        let whole = CalibrationText(calibration: pieces, heldOut: [])
        sequences =
            pieces.isEmpty
            ? [] : whole.spread(tokens: min(calibrationTokens / 4, Self.maximumTokens))
        let tokens = sequences.reduce(0) { $0 + $1.count }
        guard tokens >= 64 else {
            throw ModelFileError(
                file: path ?? BundledText.title, subject: "--evaluation",
                problem: "\(tokens) tokens are too few to evaluate on",
                remedy: "give a text of at least a few hundred words")
        }
        let title =
            path.map { URL(fileURLWithPath: $0).lastPathComponent } ?? BundledText.title
        name = "\(title), \(tokens) tokens"
        origin = path == nil ? .builtIn : .given
    }
}

extension PruneRun {
    /// Returns the second text, which is read and cut at the first call.
    func secondText() throws -> SecondText {
        if let cutSecondText { return cutSecondText }
        let checkpoint = dense.checkpoint
        let text = try SecondText(
            options.evaluation, tokenizer: try checkpoint.tokenizer(), shape: dense.shape,
            sequence: checkpoint.pooling.length(within: environment.sequence),
            calibrationTokens: options.calibrationTokens)
        cutSecondText = text
        return text
    }

    /// Returns the sequences of a text that quality is measured on.
    func sequences(of set: EvaluationSet, _ text: CalibrationText) throws -> [[Int32]] {
        switch set {
        case .heldOut: text.heldOut
        case .second: try secondText().sequences
        }
    }
}
