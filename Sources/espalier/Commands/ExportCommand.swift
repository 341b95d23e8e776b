import CommandLine
import Foundation
import ModelFiles
import Pruning
import Tensors
import Transformers

/// The command that writes a model in another format.
struct ExportCommand: Command {
    static let name = "export"
    static let summary = "Write a model in the format of another runtime."
    static let discussion = """
        gguf is one file for llama.cpp: of architecture llama where all layers have the same sizes, \
        else deci. huggingface is a directory for transformers, with the Python module that it \
        needs where layers differ. onnx is such a directory with the graph model.onnx, whose \
        weights lie beside it, for ONNX Runtime and OpenVINO.

        Example: espalier export out/1.5x --format gguf --type q8_0 -o model.gguf

        Example: espalier export SmolLM2.gguf --format huggingface --type bf16 -o smollm2
        """

    /// What to write.
    enum Format: String, CaseIterable {
        case gguf
        case huggingface
        case onnx

        /// The types that weights can have.
        var types: [GGUFModel.Storage] {
            switch self {
            case .gguf: GGUFModel.Storage.allCases
            case .huggingface: [.f32, .f16, .bf16]
            case .onnx: [.f32]
            }
        }
    }

    private let model: String
    private let format: Format
    private let type: GGUFModel.Storage
    private let output: String

    init(_ arguments: inout Arguments) throws(UsageError) {
        model = try arguments.positional("MODEL", .model, help: ModelLocation.help)
        let format: Format = try arguments.requiredOption(
            "--format", .choice(), help: "What to write.")
        self.format = format
        type = try arguments.option(
            "--type", .choice(), default: .f32,
            help: "How weights are stored: q8_0 and q4_0 in gguf alone, onnx in f32 alone.")
        output = try arguments.requiredOption(
            "--output", short: "o", .file, help: "The file, or directory, to write.")
        guard format.types.contains(type) else {
            let known = format.types.map(\.rawValue).joined(separator: ", ")
            throw UsageError("--format \(format.rawValue) is written as \(known)")
        }
    }

    func run() throws {
        let opened = try OpenedModel(model)
        let checkpoint = opened.checkpoint
        try requireAbsent(output)
        switch format {
        case .gguf: try GGUFModel.check(checkpoint)
        case .huggingface, .onnx: try HuggingFaceDirectory.check(checkpoint)
        }
        let progress = ProgressBar(
            "Writing \(output)", total: checkpoint.shape.layers.count, unit: "layers")
        switch format {
        case .gguf:
            try GGUFModel.write(checkpoint, like: checkpoint, to: output, storage: type) { done in
                progress.advance(to: done)
                try Interruption.check()
            }
        case .huggingface, .onnx:
            try HuggingFaceDirectory.write(
                checkpoint, like: checkpoint, to: output, type: type.matrixType,
                writesONNX: format == .onnx
            ) { done in
                progress.advance(to: done)
                try Interruption.check()
            }
        }
        // Layers are counted when their tensors begin; a failure leaves the bar where it stopped.
        progress.advance(to: checkpoint.shape.layers.count)
        progress.finish()
        DiskUse.remarkOn(opened.location, to: output)
    }
}
