import CommandLine
import Pipeline

/// The command that measures quality.
struct EvaluateCommand: Command {
    static let name = "evaluate"
    static let summary = "Measure how well a model predicts text, and how near it is to another."
    static let discussion = """
        A decoder's perplexity: the text as one token stream without special tokens, in windows \
        that do not overlap, positions from 0 in each, every token of a window predicted but the \
        first. With --against also the divergence from the other model (KL, in nats) and how often \
        both would choose the same token. An encoder is compared by the cosine distance of its \
        sentence vectors, paragraph by paragraph. The other model is always in f32; without \
        --against, a model in another --precision is compared with itself in f32.

        A task file has an item on each line, as JSON. Its members tell its kind: query, choices \
        and gold for multiple choice; context and continuation for last words; good and bad for \
        minimal pairs; question and answers, perhaps with a passage, for questions; text, label and \
        perhaps second for classification, by the model's head or, with labels in the first line, \
        by a decoder; document and summary for summaries; first, second and score for the \
        similarity of sentences. A first line of name and prompt may name the task and shape \
        what the model is given; its delimiter stands between a prompt and what follows, by \
        default a space where neither has white space there. scripts/fetch-tasks makes such files.

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
            "--against", .model, help: "The model to compare with, such as the dense one.")
        options.text = try arguments.option(
            "--text", .file,
            help: "Plain text to predict, or .jsonl, .json, .csv or .tsv records with a field text."
        )
        options.tasks = try arguments.options(
            "--task", .file, help: "A file of questions, as JSON lines; again for more.")
        options.threads = try EnvironmentOptions.threads(&arguments)
        options.precision = try EnvironmentOptions.precision(&arguments)
        printsJSON = arguments.flag("--json", help: "Print the result as JSON.")
        arguments.group("Text")
        options.window = try arguments.option(
            "--window", .integer(in: 2...(1 << 20)).named("TOKENS"), default: 1024,
            help: "Tokens of a window, cut to the model's positions.")
        options.windows = try arguments.option(
            "--windows", .integer(atLeast: 1).named("COUNT"),
            help: "Only the first windows; all by default.")
        options.samples = try arguments.option(
            "--samples", .integer(in: 0...100), default: 0,
            help: "What a decoder writes behind the beginnings of so many windows.")
        options.dump = try arguments.option(
            "--dump", .file, isRare: true,
            help: "Write token ids and logits or hidden states of the first 64 tokens as JSON.")
        arguments.group("Tasks")
        options.items = try arguments.option(
            "--items", .integer(atLeast: 1).named("COUNT"),
            help: "Only the first questions of each task; all by default.")
        options.shots = try arguments.option(
            "--shots", .integer(in: 0...100), default: 0,
            help: "How many of a task's first questions to give, solved, before each other one.")
        self.options = options
        try checkUsage(options.check)
    }

    func run() throws {
        let answer = try EvaluateJob(options, progress: TerminalProgress()).run()
        if printsJSON { try printJSON(answer) } else { print(answer.text) }
    }
}
