internal import Foundation
internal import ModelFiles
internal import Profiling
internal import Pruning
internal import Reporting
internal import Tensors
internal import Transformers

/// The inputs of a prune, which are read and hashed before anything is made.
struct PruneInputs {
    /// The digests or values of all inputs, by name.
    ///
    /// A run directory belongs to one set of inputs.
    let digests: [String: String]
    /// The digests of the files only.
    let files: [(name: String, digest: String)]
    /// The calibration text; it is empty if the model will generate it.
    private let contents: String
    /// The maximum number of bytes of a calibration file.
    ///
    /// If a file is larger, lines spread over all of it are read.
    static let maximumBytes = 32 << 20

    /// Reads the inputs.
    ///
    /// - Throws: ``InvalidOptions`` for an encoder without text, or for a method that does not
    ///   support the model's family. `ModelFileError` if a file cannot be read.
    init(
        _ options: PruneOptions, dense: OpenedModel, environment: InferenceEnvironment
    ) throws {
        let isEncoder = dense.shape.architecture.isEncoder
        guard !isEncoder || !options.calibration.isEmpty else {
            throw InvalidOptions(
                "an encoder needs text to calibrate on: give --calibration FILE with text like "
                    + "your inputs")
        }
        let narrows = ([options.method] + options.baselines).contains(.minitronWidth)
        if narrows, !dense.shape.canNarrow {
            throw InvalidOptions(
                "minitron-width cannot narrow a model of family "
                    + "\(dense.checkpoint.config.family.name), because other programs divide its "
                    + "width by its number of heads: choose another method")
        }
        if options.runtime == .gguf { try GGUFModel.check(dense.checkpoint) }
        try HuggingFaceDirectory.check(
            dense.checkpoint, width: narrows ? dense.shape.channelStep : nil)
        if options.reference == nil, !dense.shape.isUniform {
            throw ModelFileError(
                file: dense.location.path, subject: "layers",
                problem: "their sizes differ: the model is already pruned, and the search cannot "
                    + "predict its latency",
                remedy: "prune the dense model to a higher --speedup; with --recover, give all "
                    + "targets to one run")
        }
        try dense.checkpoint.checkNumbers()
        var files = try FileDigest.modelFiles(dense.location.path).map {
            (name: URL(fileURLWithPath: $0).lastPathComponent, digest: try FileDigest.of($0))
        }
        var contents = ""
        for path in options.calibration {
            files.append(
                (URL(fileURLWithPath: path).lastPathComponent, try FileDigest.of(path)))
            let (text, isPart) = try TextFile.contents(of: path, atMost: Self.maximumBytes)
            if isPart {
                dense.progress.remark(
                    "\(path): only \(Figures.shortBytes(Self.maximumBytes)) are read, from all its parts."
                )
            }
            contents += text + "\n"
        }
        if let evaluation = options.evaluation {
            files.append(("evaluation", try FileDigest.of(evaluation)))
        }
        if let profile = options.profile {
            files.append(("profile", try FileDigest.of(profile)))
        }
        if let reference = options.reference {
            files.append(
                (
                    "reference",
                    try FileDigest.ofModel(
                        try ModelLocation(reference, progress: dense.progress).path)
                ))
        }
        (self.files, self.contents) = (files, contents)
        // The held-out part depends on the order of the files.
        let order = options.calibration.map { URL(fileURLWithPath: $0).lastPathComponent }
        digests = Dictionary(
            files.map { ($0.name, $0.digest) } + [
                ("--calibration", order.joined(separator: " ")),
                ("--method", options.method.rawValue), ("--seed", String(options.seed)),
                ("--damping", String(options.damping)),
                (
                    "--formats",
                    options.searchedFormats(environment).map(\.rawValue).joined(separator: " ")
                ),
                ("--rounding", options.rounding.rawValue),
                ("--calibration-tokens", String(options.calibrationTokens)),
                ("--refit-tokens", String(options.refitTokens)),
                ("--refit-passes", String(options.refitPasses(for: dense.shape.architecture))),
                ("--trials", String(options.trials)), ("--for", options.runtime.rawValue),
                ("environment", environment.summary), ("machine", environment.machine),
                ("version", Espalier.version),
            ], uniquingKeysWith: { $0 + " " + $1 })
    }

    /// Returns the calibration text in tokens; nil if the model will generate it.
    ///
    /// - Throws: `ModelFileError` if the text is too short.
    func text(
        _ options: PruneOptions, dense: OpenedModel, environment: InferenceEnvironment
    ) throws -> CalibrationText? {
        guard !options.calibration.isEmpty else { return nil }
        let tokenizer = try dense.progress.stage("Reading the tokenizer") {
            try dense.checkpoint.tokenizer()
        }
        let longest = dense.checkpoint.pooling.length(within: dense.shape.maximumPositions)
        let text =
            dense.shape.architecture.isEncoder
            ? CalibrationText(
                paragraphs: contents, tokenizer: tokenizer, tokens: options.calibrationTokens,
                length: min(environment.sequence, longest), seed: options.seed)
            : CalibrationText(
                stream: contents, tokenizer: tokenizer, tokens: options.calibrationTokens,
                length: min(512, longest), seed: options.seed)
        if let shortage = text.shortage(of: options.calibrationTokens) {
            throw ModelFileError(
                file: options.calibration.joined(separator: ", "), problem: shortage,
                remedy: "give at least a few thousand words of plain text"
                    + (dense.shape.architecture.isEncoder
                        ? "; lines of fewer than 8 tokens do not count" : ""))
        }
        return text
    }
}

extension CalibrationText {
    /// The tokens on which sensitivities are measured.
    ///
    /// For a decoder they are the beginnings of some sequences, because every token gives a
    /// divergence. For an encoder they are complete sequences, because each gives one divergence.
    func probe(for architecture: Architecture) -> TokenBatch {
        let (tokens, length) = architecture.isEncoder ? (4096, Int.max) : (1280, 320)
        let cut = calibration.map { Array($0.prefix(length)) }
        return TokenBatch(
            CalibrationText(calibration: cut, heldOut: heldOut).spread(tokens: tokens))
    }

    /// Returns calibration sequences with about this number of tokens in total, evenly spread over
    /// the text.
    func spread(tokens: Int) -> [[Int32]] {
        let all = calibration.reduce(0) { $0 + $1.count }
        let share = min(1, Double(tokens) / Double(max(all, 1)))
        let count = max(1, Int((share * Double(calibration.count)).rounded()))
        return (0..<count).map { calibration[$0 * calibration.count / count] }
    }

    /// Splits sampled sequences: the last eighth is held out.
    init(sampled: [[Int32]]) {
        let heldOut = max(1, sampled.count / 8)
        self.init(
            calibration: Array(sampled.dropLast(heldOut)), heldOut: Array(sampled.suffix(heldOut)))
    }
}
