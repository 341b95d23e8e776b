import Console
import Pipeline

/// The command that extracts a model with fewer layers from another model.
struct LayerDropCommand: Command {
    static let name = "layerdrop"
    static let summary =
        "Extract a model with fewer layers from a model that was trained with LayerDrop."
    static let discussion = """
        A model that was trained with LayerDrop (finetune --layerdrop) works at smaller depths \
        without further training. every-other keeps layers at equal distances. search repeatedly \
        removes the layer whose removal gives the lowest loss on a text. learned evaluates the \
        same number of choices as search, and layers of good choices become more probable.

        Example: espalier layerdrop tuned/model --keep 6 -o half

        Example: espalier layerdrop tuned/model --keep 6 --strategy search --text valid.txt -o half
        """

    private let options: LayerDropOptions

    init(_ arguments: inout Arguments) throws(UsageError) {
        let model = try arguments.positional("MODEL", .model, help: Help.model)
        let count = try arguments.requiredOption(
            "--keep", .integer(in: 1...100_000).named("COUNT"),
            help: "The number of layers to keep.")
        let output = try arguments.requiredOption(
            "--output", short: "o", .directory, help: "The directory of the result.")
        var options = LayerDropOptions(model, keeping: count, output: output)
        options.strategy = try arguments.option(
            "--strategy", .choice(), default: .everyOther, help: "How layers are chosen.")
        options.text = try arguments.option(
            "--text", .file,
            help: "The evaluation set, which search and learned need; use another text than for "
                + "training.")
        options.tokens = try arguments.option(
            "--tokens", .integer(in: 64...(1 << 24)).named("COUNT"), default: 4096, isRare: true,
            help: "The number of tokens of the text to use.")
        options.seed = try arguments.option(
            "--seed", .seed, default: 1, isRare: true,
            help: "Seed of the choices that learned tries.")
        options.threads = try EnvironmentOptions.threads(&arguments)
        self.options = options
        try checkUsage(options.check)
    }

    func run() throws {
        let kept = try LayerDropJob(options, progress: TerminalProgress()).run()
        print("Layers kept: \(kept.map(String.init).joined(separator: " "))")
    }
}
