import Console
import Pipeline

/// The command that measures the quality of a model.
struct EvaluateCommand: Command {
    static let name = "evaluate"
    static let summary =
        "Measure how well a model predicts text, and how close it is to another model."
    static let discussion = """
        For a decoder, prints the perplexity. The text is one stream of tokens without special \
        tokens, divided into windows that do not overlap. Positions begin at 0 in each window, and \
        all tokens but the first are predicted. With --against, also prints the KL divergence from \
        the other model in nats, and how often both have the same most likely token. For an \
        encoder, prints the cosine distance of its sentence vectors, paragraph by paragraph. The \
        other model is always in f32. Without --against, a model in another --precision is \
        compared with itself in f32.

        A task file has one item on each line, as JSON. The members of an item decide its kind: \
        query, choices and gold for multiple choice; context and continuation for last words; good \
        and bad for minimal pairs; question and answers, and optionally passage, for questions; \
        text and label, and optionally second, for classification by the model's head or, with \
        labels in the first line, by a decoder; document and summary for summaries; first, second \
        and score for the similarity of sentences. For the vectors of an encoder, with the metrics \
        of MTEB: query and passage, or a folder of BEIR, for retrieval; query, positive and \
        negative for reranking; text and cluster for clustering; first, second and match for \
        pairs; text and label, with a file of training texts in the first line, for few-shot \
        classification. The first line may have the name of the task, a \
        prompt that forms the model's input, and a delimiter between a prompt and its \
        continuation. scripts/fetch-tasks makes such files.

        Example: espalier evaluate out/1.25x --against SmolLM2.gguf --text wiki.test.raw

        Example: espalier evaluate SmolLM2.gguf --precision int8 --text wiki.test.raw

        Example: espalier evaluate out/2x --against my-bert --text sentences.txt

        Example: espalier evaluate out/1.5x --against SmolLM2.gguf --task piqa.jsonl --task sciq.jsonl
        """

    private let options: EvaluateOptions
    private let printsJSON: Bool

    init(_ arguments: inout Arguments) throws(UsageError) {
        var options = EvaluateOptions(
            try arguments.positional("MODEL", .model, help: Help.model))
        options.against = try arguments.option(
            "--against", .model, help: "The model to compare with, such as the dense model.")
        options.text = try arguments.option(
            "--text", .file,
            help: "Plain text to predict, or .jsonl, .json, .csv or .tsv records with a field text."
        )
        options.tasks = try arguments.options(
            "--task", .file, help: "A task file, as JSON lines or a table, or a folder of BEIR.")
        options.threads = try EnvironmentOptions.threads(&arguments)
        options.precision = try EnvironmentOptions.precision(&arguments)
        printsJSON = arguments.flag("--json", help: "Print the result as JSON.")
        arguments.group("Text")
        options.window = try arguments.option(
            "--window", .integer(in: 2...(1 << 20)).named("TOKENS"), default: 1024,
            help: "The number of tokens of a window, at most the model's positions.")
        options.windows = try arguments.option(
            "--windows", .integer(atLeast: 1).named("COUNT"),
            help: "Evaluate only the first windows; by default all.")
        options.samples = try arguments.option(
            "--samples", .integer(in: 0...100), default: 0,
            help: "Print how a decoder continues the beginnings of this number of windows.")
        options.dump = try arguments.option(
            "--dump", .file, isRare: true,
            help: "Write token ids and logits or hidden states of the first 64 tokens as JSON.")
        arguments.group("Tasks")
        options.items = try arguments.option(
            "--items", .integer(atLeast: 1).named("COUNT"),
            help: "Evaluate only the first items of each task; by default all.")
        options.shots = try arguments.option(
            "--shots", .integer(in: 0...100), default: 0,
            help: "Number of first items of the task to put before each item, with their answers.")
        self.options = options
        try checkUsage(options.check)
    }

    func run() throws {
        let answer = try EvaluateJob(options, progress: TerminalProgress()).run()
        if printsJSON { try printJSON(answer) } else { print(answer.text) }
    }
}
