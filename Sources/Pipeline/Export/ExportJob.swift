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
    /// The type in which weights are stored.
    public var type = GGUFModel.Storage.f32
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
        guard format.types.contains(type) else {
            let known = format.types.map(\.rawValue).joined(separator: ", ")
            throw InvalidOptions(
                "--format \(format.rawValue) supports only these values of --type: \(known)")
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
        try progress.counting("Writing \(output)", total: layers, unit: "layers") { advance in
            switch format {
            case .gguf:
                try GGUFModel.write(
                    checkpoint, like: checkpoint, to: output, storage: options.type,
                    progress: advance)
            case .huggingface, .onnx:
                try HuggingFaceDirectory.write(
                    checkpoint, like: checkpoint, to: output, type: options.type.matrixType,
                    writesONNX: format == .onnx, progress: advance)
            }
            // The writer reports each layer when it begins to write the layer. Now all are written.
            try advance(layers)
        }
        progress.remark(DiskUse.sentence(on: opened.location, to: output))
    }
}
