internal import ModelFiles
public import Pruning
internal import Tensors
internal import Transformers

/// The options of an ``ExportJob``.
public struct ExportOptions: JobOptions {
    /// The formats of the output.
    public enum Format: String, CaseIterable, Sendable {
        /// One file for llama.cpp.
        case gguf
        /// A directory for transformers.
        case huggingface
        /// A directory for transformers with a graph for ONNX Runtime and OpenVINO.
        ///
        /// A model whose matrices have formats keeps them. Only Espalier and ONNX Runtime load such
        /// a directory.
        case onnx

        /// The types in which weights can be stored.
        public var types: [GGUFModel.Storage] {
            switch self {
            case .gguf: GGUFModel.Storage.allCases
            case .huggingface: [.f32, .f16, .bf16]
            case .onnx: [.f32]
            }
        }
    }

    /// The model: a path or a hub id.
    public var model: String
    /// The format of the output.
    public var format: Format
    /// The type in which weights are stored; nil for the formats of a model that has formats, if
    /// the output can have them, and for `f32` otherwise.
    public var type: GGUFModel.Storage?
    /// The method of rounding; nil for ``Rounding/gptq`` if there is calibration text, or else for
    /// ``Rounding/nearest``.
    public var rounding: Rounding?
    /// Files of plain text that is similar to the text that the model will process.
    public var calibration: [String] = []
    /// The number of calibration tokens.
    public var calibrationTokens = 32_768
    /// The number of threads.
    public var threads = EnvironmentOptions.defaultThreads
    /// The file, or directory, to write.
    public var output: String

    /// Options with defaults.
    public init(_ model: String, format: Format, output: String) {
        (self.model, self.format, self.output) = (model, format, output)
    }

    /// Refuses options that contradict each other.
    ///
    /// - Throws: ``InvalidOptions``.
    public func check() throws(InvalidOptions) {
        let type = type ?? .f32
        guard format.types.contains(type) else {
            let known = format.types.map(\.rawValue).joined(separator: ", ")
            throw InvalidOptions(
                "--format \(format.rawValue) supports only these values of --type: \(known)")
        }
        if rounding == .gptq, calibration.isEmpty {
            throw InvalidOptions("--rounding gptq needs text: give --calibration FILE")
        }
        guard !calibration.isEmpty else { return }
        guard rounding != .nearest else {
            throw InvalidOptions("--rounding nearest uses no --calibration: leave out one of them")
        }
        guard WeightGrid(storedAs: type.matrixType) != nil else {
            throw InvalidOptions(
                "--calibration is for --type q4_0 and q8_0: weights of type \(type.rawValue) are "
                    + "rounded to nearest")
        }
        guard 256...(1 << 24) ~= calibrationTokens else {
            throw InvalidOptions("--calibration-tokens is from 256 to 16777216")
        }
    }
}

/// Writes a model in the format of another runtime.
public typealias ExportJob = Job<ExportOptions>

extension ExportJob {
    /// Writes the model.
    ///
    /// - Throws: `ModelFileError`, or `CancellationError`.
    public func run() throws {
        let (format, output) = (options.format, options.output)
        let opened = try OpenedModel(options.model, progress: progress)
        let checkpoint = opened.checkpoint
        try requireAbsent(output)
        switch format {
        case .gguf: try GGUFModel.check(checkpoint)
        case .huggingface, .onnx: try HuggingFaceDirectory.check(checkpoint)
        }
        let layers = checkpoint.shape.layers.count
        let rounding = try rounding(opened)
        let type = options.type ?? .f32
        let formats = options.type == nil ? checkpoint.formats : nil
        try progress.counting("Writing \(output)", total: layers, unit: "layers") { advance in
            switch format {
            case .gguf:
                try GGUFModel.write(
                    checkpoint, like: checkpoint, to: output, storage: type, formats: formats,
                    rounding: rounding, progress: advance)
            case .huggingface, .onnx:
                try HuggingFaceDirectory.write(
                    checkpoint, like: checkpoint, to: output, type: type.matrixType,
                    formats: format == .onnx ? formats : nil, writesONNX: format == .onnx,
                    progress: advance)
            }
            // The writer reports each layer when it begins to write the layer. Now all are written.
            try advance(layers)
        }
        progress.remark(DiskUse.sentence(on: opened.location, to: output))
    }

    /// Prepares to round the layers of a decoder on the calibration text; nil without a text.
    private func rounding(_ opened: OpenedModel) throws -> LayerRounding? {
        guard !options.calibration.isEmpty,
            let grid = options.type.flatMap({ WeightGrid(storedAs: $0.matrixType) })
        else { return nil }
        let contents = try options.calibration.map { path in
            try TextFile.contents(of: path, atMost: PruneInputs.maximumBytes).text
        }
        let text = CalibrationText(
            stream: contents.joined(separator: "\n"), tokenizer: try opened.checkpoint.tokenizer(),
            tokens: options.calibrationTokens, length: min(512, opened.shape.maximumPositions),
            seed: 1)
        if let shortage = text.shortage(of: options.calibrationTokens) {
            throw ModelFileError(
                file: options.calibration.joined(separator: ", "), problem: shortage,
                remedy: "give at least a few thousand words of plain text")
        }
        return try progress.stage("Reading the embeddings") {
            try LayerRounding(
                opened.checkpoint, to: grid, on: batches(of: text.calibration, tokens: 2048),
                engine: Engine(threads: options.threads))
        }
    }
}
