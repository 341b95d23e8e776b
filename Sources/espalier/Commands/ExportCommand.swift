import CommandLine
import Pipeline
import Pruning

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

    private let options: ExportOptions

    init(_ arguments: inout Arguments) throws(UsageError) {
        let model = try arguments.positional("MODEL", .model, help: Help.model)
        let format: ExportOptions.Format = try arguments.requiredOption(
            "--format", .choice(), help: "What to write.")
        let type: GGUFModel.Storage = try arguments.option(
            "--type", .choice(), default: .f32,
            help: "How weights are stored: q8_0 and q4_0 in gguf alone, onnx in f32 alone.")
        let output = try arguments.requiredOption(
            "--output", short: "o", .file, help: "The file, or directory, to write.")
        var options = ExportOptions(model, format: format, output: output)
        options.type = type
        self.options = options
        try checkUsage(options.check)
    }

    func run() throws { try ExportJob(options, progress: TerminalProgress()).run() }
}
