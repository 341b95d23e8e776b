import Console
import Pipeline

/// The command that measures the quality of a model.
struct EvaluateCommand: Command {
    static let name = "evaluate"
    static let summary =
        "Judge a model: predict text, run tasks, and compare it with another model."
    static let discussion = """
        To judge a pruned model, give the dense model as --against, and look at: the perplexity of \
        --text that it was not calibrated on; --suite quick, the tasks in which pruned models lose \
        most; --suite full and your own --task files; and what it writes, with --samples and \
        --judge. A change with p above 0.05 may be due to chance.

        Text: for a decoder, prints the perplexity. The text is one stream of tokens without \
        special tokens, in windows that do not overlap; all tokens but the first are predicted. \
        --against adds the KL divergence in nats, and how often both models have the same most \
        likely token. For an encoder, prints the cosine distance of the sentence vectors. The \
        other model is in f32. Without --against, a model in another --precision is compared with \
        itself in f32.

        Tasks: scripts/fetch-tasks makes a folder of task files, worded and scored as in \
        lm-evaluation-harness. A task file has one item on each line, as JSON. The members decide \
        its kind: query, choices and gold; contexts, continuation and gold; context and \
        continuation; good and bad; question and answers or answer; text and label; document and \
        summary; first, second and score; page; turns; or those of IFEval. For the vectors of an \
        encoder, as in MTEB: query and passage; query, positive and negative; text and cluster; \
        first, second and match. TaskFiles.md describes them.

        Judge: the command reads lines {"question": …, "first": …, "second": …}, or turns instead \
        of question, and prints {"winner": "first"}, "second" or "tie" for each. It sees each pair \
        in both orders, and a model wins if it wins in both.

        Example: espalier evaluate out/2x --against SmolLM2.gguf --text wiki.test.raw

        Example: espalier evaluate out/2x --against SmolLM2.gguf --suite quick --suite-folder tasks

        Example: espalier evaluate my-bert --precision int8 --text sentences.txt --task stsb.jsonl
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
        options.suite = try arguments.option(
            "--suite", .choice(), help: "Run tasks of --suite-folder: the most telling, or all.")
        options.suiteFolder = try arguments.option(
            "--suite-folder", .directory, help: "The folder that scripts/fetch-tasks made.")
        options.judge = try arguments.option(
            "--judge", .text.named("COMMAND"),
            help: "command:'…', which compares summaries and conversations with --against.")
        options.judgeSeconds = try arguments.option(
            "--judge-seconds", .number(in: 0.1...86_400), default: 120, isRare: true,
            help: "The maximum time for one comparison.")
        self.options = options
        try checkUsage(options.check)
    }

    func run() throws {
        let answer = try EvaluateJob(options, progress: TerminalProgress()).run()
        if printsJSON { try printJSON(answer) } else { print(answer.text) }
    }
}
