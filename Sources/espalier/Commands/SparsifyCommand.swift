import Console
import Pipeline
import Reporting

/// The command that lets a decoder compute only what each token needs.
struct SparsifyCommand: Command {
    static let name = "sparsify"
    static let summary = "Let a decoder compute only what each token needs."
    static let discussion = """
        In decoding, neurons that would add little to a token are skipped. The output head first \
        computes logits with 4-bit weights, and then exact logits only for tokens that may be the \
        most likely token. There are three ways to select neurons: by their weights in 4 bits, by \
        a low-rank predictor that is trained on the text, or by value, where all neurons are \
        computed and small values are not added. For each layer a search chooses the way and the \
        number of neurons, by the measured time and loss. A layer stays dense if nothing makes it \
        faster on this machine. The model is written to the --output directory with \
        contextual.json and contextual.safetensors, which generate, evaluate and bench use.

        One half of the text is the calibration text, the other half the evaluation set.

        Example: espalier sparsify SmolLM2.gguf --text novels.txt -o sparse

        Example: espalier sparsify out/1.5x --text novels.txt --precision int8 --speedup 1.1 \
        -o sparse
        """

    private let options: SparsifyOptions
    private let printsJSON: Bool

    init(_ arguments: inout Arguments) throws(UsageError) {
        let model = try arguments.positional("MODEL", .model, help: Help.model)
        let text = try arguments.requiredOption(
            "--text", .file, help: "Plain text like the future inputs of the model.")
        let output = try arguments.requiredOption(
            "--output", short: "o", .directory, help: "The directory of the result.")
        var options = SparsifyOptions(model, text: text, output: output)
        options.cost = try arguments.option(
            "--cost", .number(in: 0...10).named("SHARE"), default: 0.02,
            help: "The fraction by which the perplexity may rise.")
        options.speedup = try arguments.option(
            "--speedup", .number(in: 1...100),
            help: "The speedup over dense decoding to reach; by default the highest that --cost "
                + "allows.")
        options.prune = try arguments.option(
            "--prune", .directory,
            help: "The directory of a prune of this model; units may then also be removed "
                + "permanently.")
        printsJSON = arguments.flag("--json", help: "Print the result as JSON.")
        arguments.group("Search")
        options.density = try arguments.option(
            "--density", .number(in: 0.01...1).named("SHARE"), isRare: true,
            help: "The fraction of neurons to compute in every layer; by default the search "
                + "chooses it for each layer.")
        options.predictor = try arguments.option(
            "--predictor", .choice(), default: .any,
            help:
                "How neurons are selected: coarse by weights in 4 bits, gate by their gates, "
                + "trained by a predictor, ahead by a predictor on the previous layer's "
                + "input, value by their computed values, any by the best of coarse, trained "
                + "and value. In attention blocks, trained selects heads, and value selects "
                + "inputs.")
        options.ranks = try arguments.options(
            "--rank", .integer(in: 1...4096).named("COUNT"), isRare: true,
            help:
                "The rank of trained predictors, by default 64; if several are given, the search "
                + "chooses one for each layer.")
        arguments.group("Measuring")
        options.batch = try arguments.option(
            "--batch", .integer(in: 1...64), default: 1,
            help: "Sequences that are decoded together.")
        options.context = try arguments.option(
            "--sequence", .integer(in: 1...(1 << 20)).named("TOKENS"), default: 256,
            help: "The number of cached tokens in a timed decode step.")
        options.tokens = try arguments.option(
            "--tokens", .integer(in: 1024...(1 << 24)).named("COUNT"), default: 8192, isRare: true,
            help: "The number of tokens of the text to use.")
        options.seconds = try arguments.option(
            "--seconds", .number(in: 0.1...86_400), default: 10,
            help: "The maximum time of each measurement in seconds.")
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
    /// The report as text for people.
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
