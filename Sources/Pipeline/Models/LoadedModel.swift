internal import ContextualSparsity
internal import ModelFiles
internal import Profiling
internal import Pruning
internal import Reporting
internal import Tensors
internal import Transformers

/// A trained model that was found and opened; its weights are still on disk.
struct OpenedModel {
    /// The location of the model.
    let location: ModelLocation
    /// The model's files.
    let checkpoint: Checkpoint
    /// Shows the progress of reading.
    let progress: any JobProgress

    /// Finds and opens a model.
    ///
    /// - Parameters:
    ///   - name: A path or a hub id.
    ///   - progress: Shows the progress of downloading and reading.
    /// - Throws: `ModelFileError`.
    init(_ name: String, progress: any JobProgress) throws {
        self.progress = progress
        location = try ModelLocation(name, progress: progress)
        checkpoint = try Checkpoint(location.path)
        for remark in checkpoint.remarks { progress.remark(onModel: remark) }
    }

    /// The sizes of the model.
    var shape: ModelShape { checkpoint.shape }

    /// Returns the beginning of a text, cut into windows, to evaluate a decoder on.
    ///
    /// - Parameters:
    ///   - path: A file of plain text, or of records with `text`.
    ///   - tokens: The maximum number of tokens.
    ///   - length: The number of tokens of a window, limited to the model's positions.
    ///   - remedy: The remedy in the error for an encoder, which does not predict text.
    /// - Returns: The windows; there may be none.
    /// - Throws: `ModelFileError` for an encoder, or if the text cannot be read.
    func windows(
        ofText path: String, tokens: Int, length: Int, encoderRemedy remedy: String
    ) throws -> [[Int32]] {
        guard !shape.architecture.isEncoder else {
            throw ModelFileError(
                file: location.path, problem: "an encoder does not predict text",
                remedy: remedy)
        }
        let contents = try TextFile.contents(of: path).text
        let ids = try checkpoint.tokenizer().encode(contents, addingSpecialTokens: false)
        return Transformers.windows(
            of: Array(ids.prefix(tokens)), length: min(length, shape.maximumPositions))
    }

    /// Reads the weights and packs them for this processor, and shows the progress.
    ///
    /// If the file of the model names the format of each matrix, these formats are used instead of
    /// `precision`.
    ///
    /// - Parameter precision: The precision in which weights are stored.
    /// - Returns: The model, ready to run.
    /// - Throws: `ModelFileError`, or `CancellationError`.
    func packed(in precision: Precision) throws -> Model {
        try requireMemory(
            precision.weightBytes(of: shape), beside: shape.vocabularySize * shape.hiddenSize)
        let suffix = precision == .f32 ? "" : " in \(precision.rawValue)"
        return try progress.counting(
            "Packing \(location.name)\(suffix)", total: shape.layers.count, unit: "layers"
        ) { advance in
            let formats =
                checkpoint.formats ?? Formats(uniform: precision, layers: shape.layers.count)
            return try Model(checkpoint, formats: formats, progress: advance)
        }
    }

    /// Refuses work that needs more memory than this process may use.
    ///
    /// - Parameters:
    ///   - bytes: The memory that the work needs in addition to what the process already uses.
    ///   - floats: The number of floats in the largest tensor, which is read before it is packed.
    /// - Throws: `ModelFileError` that gives the memory that is needed and allowed.
    func requireMemory(_ bytes: Int, beside floats: Int = 0) throws(ModelFileError) {
        let needed = bytes + floats * MemoryLayout<Float>.size
        guard !AvailableResources.current.fits(needed) else { return }
        let allowed = Figures.shortBytes(AvailableResources.current.memoryBytes)
        throw ModelFileError(
            file: location.path,
            problem: "it takes \(Figures.shortBytes(needed)) more memory, but this process may use "
                + "\(allowed) in all",
            remedy: "use a smaller model or --precision, or allow the process more memory")
    }

    /// Returns the packed model.
    ///
    /// If a plan of contextual sparsity is in the same directory, it is applied.
    func contextual(in precision: Precision) throws -> Model {
        let dense = try packed(in: precision)
        guard !shape.architecture.isEncoder,
            let plan = try ContextualFile.read(beside: location.path, of: shape)
        else { return dense }
        return try dense.applying(plan, of: checkpoint)
    }
}

/// A trained model that was opened and packed for this processor.
struct LoadedModel {
    /// The model's files.
    let opened: OpenedModel
    /// The model, ready to run.
    let model: Model

    var location: ModelLocation { opened.location }
    var checkpoint: Checkpoint { opened.checkpoint }

    /// Finds, opens and packs a model, and shows the progress.
    ///
    /// - Parameters:
    ///   - name: A path or a hub id.
    ///   - precision: The precision in which weights are stored.
    ///   - progress: Shows the progress.
    /// - Throws: `ModelFileError`, or `CancellationError`.
    init(_ name: String, precision: Precision = .f32, progress: any JobProgress) throws {
        opened = try OpenedModel(name, progress: progress)
        model = try opened.contextual(in: precision)
    }

    /// Combines a packed model with the files and the tokenizer of an opened model.
    init(_ opened: OpenedModel, model: Model) {
        self.opened = opened
        self.model = model
    }

    /// Returns the same model in another precision.
    ///
    /// - Throws: As `init` does.
    func model(in precision: Precision) throws -> Model {
        guard precision != model.formats.uniform else { return model }
        return try opened.contextual(in: precision)
    }
}

/// Refuses text that is too short to evaluate a model on.
///
/// - Parameters:
///   - sequences: The tokens of the text.
///   - path: The file of the text.
/// - Throws: `ModelFileError`.
func requireEnough(_ sequences: [[Int32]], of path: String) throws {
    let count = sequences.reduce(0) { $0 + $1.count }
    guard count < min(CalibrationText.minimumHeldOut, 64) else { return }
    throw ModelFileError(
        file: path, problem: "it has too little text: \(count) tokens",
        remedy: "give at least 64 tokens of text, preferably a few thousand")
}
