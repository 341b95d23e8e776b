import CommandLine
import Pipeline
import Reporting

/// The command that lets a decoder compute only what each token needs.
struct SparsifyCommand: Command {
    static let name = "sparsify"
    static let summary = "Let a decoder compute only what each token needs."
    static let discussion = """
        In decoding, neurons that would add little to a token are not computed, and the scores of \
        words are looked at in 4 bits first: only those that may be the greatest are computed. \
        Which neurons a token needs is told by their weights in 4 bits, by a predictor of low \
        rank that is trained on the text, or, when they are computed, by what they would add. A \
        search chooses for each layer how, and how many, by what that was measured to save and \
        to cost; what does not make this machine faster is left as it is. The model is written to \
        the --output directory with contextual.json and contextual.safetensors beside it, which \
        generate, evaluate and bench follow.

        Half of the text serves to calibrate, the other to tell what a plan costs.

        Example: espalier sparsify SmolLM2.gguf --text novels.txt -o sparse

        Example: espalier sparsify out/1.5x --text novels.txt --precision int8 --speedup 1.1 \
        -o sparse
        """

    private let options: SparsifyOptions
    private let printsJSON: Bool

    init(_ arguments: inout Arguments) throws(UsageError) {
        let model = try arguments.positional("MODEL", .model, help: Help.model)
        let text = try arguments.requiredOption(
            "--text", .file, help: "Plain text like what the model will see.")
        let output = try arguments.requiredOption(
            "--output", short: "o", .directory, help: "Where the model goes.")
        var options = SparsifyOptions(model, text: text, output: output)
        options.cost = try arguments.option(
            "--cost", .number(in: 0...10).named("SHARE"), default: 0.02,
            help: "By what share perplexity may rise.")
        options.speedup = try arguments.option(
            "--speedup", .number(in: 1...100),
            help: "Stop where decoding is so many times faster than dense; by default as fast as "
                + "--cost allows.")
        options.prune = try arguments.option(
            "--prune", .directory,
            help: "The directory of a prune of this model: units may then go for good too.")
        printsJSON = arguments.flag("--json", help: "Print the result as JSON.")
        arguments.group("Search")
        options.density = try arguments.option(
            "--density", .number(in: 0.01...1).named("SHARE"), isRare: true,
            help: "The share of neurons that is computed, the same in every layer; by default "
                + "searched for.")
        options.predictor = try arguments.option(
            "--predictor", .choice(), default: .any,
            help:
                "How neurons are picked: coarse by weights in 4 bits, gate by their gates, trained "
                + "by a predictor, ahead by one of what enters the layer before, value by what "
                + "they come to, any by what the search finds best of coarse, trained and value; "
                + "of attention, trained picks heads, and value its inputs.")
        options.ranks = try arguments.options(
            "--rank", .integer(in: 1...4096).named("COUNT"), isRare: true,
            help:
                "The rank of trained predictors, by default 64; of several the search chooses for "
                + "each layer.")
        arguments.group("Measuring")
        options.batch = try arguments.option(
            "--batch", .integer(in: 1...64), default: 1,
            help: "Sequences that are decoded together.")
        options.context = try arguments.option(
            "--sequence", .integer(in: 1...(1 << 20)).named("TOKENS"), default: 256,
            help: "The cached context of a timed decode step.")
        options.tokens = try arguments.option(
            "--tokens", .integer(in: 1024...(1 << 24)).named("COUNT"), default: 8192, isRare: true,
            help: "How many tokens of the text.")
        options.seconds = try arguments.option(
            "--seconds", .number(in: 0.1...86_400), default: 10,
            help: "The most time for each measurement.")
        options.precision = try EnvironmentOptions.precision(&arguments)
        options.threads = try EnvironmentOptions.threads(&arguments)
        self.options = options
        try checkUsage(options.check)
    }

    func run() throws {
        let report = try SparsifyJob(options, progress: TerminalProgress()).run()
        if printsJSON { try printJSON(report) } else { print(report.text) }
    }
}

extension SparsityReport {
    /// What is shown.
    fileprivate var text: String {
        func table(_ columns: [String], _ rows: [[String]]) -> String {
            var table = Table(titles: columns)
            for row in rows { table.add(row: row) }
            return table.rendered()
        }
        var parts = [Self.trialNote, table(trialColumns, trialRows)]
        if !layers.isEmpty { parts += [Self.layerNote, table(layerColumns, layerRows)] }
        return (parts + [remarks.joined(separator: " ")]).joined(separator: "\n\n")
    }
}
