import Console
import Pipeline
import Pruning

/// The command that writes a model in another format.
struct ExportCommand: Command {
    static let name = "export"
    static let summary = "Write a model in the format of another runtime."
    static let discussion = """
        gguf is one file for llama.cpp. Its architecture is llama if all layers have the same \
        sizes, otherwise deci. huggingface is a directory for transformers, with a Python module \
        if layers differ in size. onnx is such a directory with the graph model.onnx, for ONNX \
        Runtime and OpenVINO; a model from prune --formats keeps its formats.

        With --calibration, the weights of layers are rounded to q4_0 or q8_0 by GPTQ, which keeps \
        more quality than rounding to nearest: each error is corrected with the weights that are \
        not yet rounded, for inputs like those of the text.

        Example: espalier export out/1.5x --format gguf --type q8_0 -o model.gguf

        Example: espalier export smollm2 --format gguf --type q4_0 --calibration text.txt -o model.gguf

        Example: espalier export SmolLM2.gguf --format huggingface --type bf16 -o smollm2
        """

    private let options: ExportOptions

    init(_ arguments: inout Arguments) throws(UsageError) {
        let model = try arguments.positional("MODEL", .model, help: Help.model)
        let format: ExportOptions.Format = try arguments.requiredOption(
            "--format", .choice(), help: "The format to write.")
        let type: GGUFModel.Storage? = try arguments.option(
            "--type", .choice(),
            help: "The type of stored weights: any for gguf; f32, f16 or bf16 for huggingface; "
                + "f32 for onnx. By default the formats of MODEL for gguf and onnx if it has its own; "
                + "otherwise f32.")
        let output = try arguments.requiredOption(
            "--output", short: "o", .file, help: "The file, or directory, to write.")
        var options = ExportOptions(model, format: format, output: output)
        options.type = type
        options.calibration = try arguments.options(
            "--calibration", .file,
            help: "Plain text like the model's later input, for --rounding gptq; several files "
                + "are joined.")
        options.rounding = try arguments.option(
            "--rounding", .choice(),
            help: "How weights are rounded to q4_0 or q8_0; by default gptq with --calibration, "
                + "otherwise nearest.")
        options.calibrationTokens = try arguments.option(
            "--calibration-tokens", .integer(in: 256...(1 << 24)).named("TOKENS"),
            default: options.calibrationTokens, isRare: true,
            help: "The number of tokens to calibrate on.")
        options.threads = try EnvironmentOptions.threads(&arguments)
        self.options = options
        try checkUsage(options.check)
    }

    func run() throws { try ExportJob(options, progress: TerminalProgress()).run() }
}
