import CommandLine
import ContextualSparsity
import Evaluation
import ModelFiles
import Profiling
import Pruning
import Reporting
import Tensors
import Transformers

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

    /// Which way to tell neurons is allowed.
    private enum Way: String, CaseIterable {
        case any, coarse, gate, trained, ahead, value

        /// Whether predictors have a rank.
        var isTrained: Bool { self == .trained || self == .ahead }

        /// What the search may choose from.
        func choices(ranks: [Int]) -> [NeuronChoice] {
            switch self {
            case .any: [.coarse, .computed] + ranks.map(NeuronChoice.lowRank)
            case .coarse: [.coarse]
            case .gate: [.gate]
            case .trained: ranks.map(NeuronChoice.lowRank)
            case .ahead: ranks.map(NeuronChoice.lookAhead)
            case .value: [.computed]
            }
        }
    }

    private let model: String
    private let text: String
    private let output: String
    private let cost: Double
    private let speedup: Double?
    private let batch: Int
    private let context: Int
    private let tokens: Int
    private let seconds: Double
    private let precision: Precision
    private let threads: Int
    private let printsJSON: Bool
    private let density: Double?
    private let way: Way
    private let ranks: [Int]
    private let prune: String?
    init(_ arguments: inout Arguments) throws(UsageError) {
        model = try arguments.positional("MODEL", .model, help: ModelLocation.help)
        text = try arguments.requiredOption(
            "--text", .file, help: "Plain text like what the model will see.")
        output = try arguments.requiredOption(
            "--output", short: "o", .directory, help: "Where the model goes.")
        cost = try arguments.option(
            "--cost", .number(in: 0...10).named("SHARE"), default: 0.02,
            help: "By what share perplexity may rise.")
        speedup = try arguments.option(
            "--speedup", .number(in: 1...100),
            help: "Stop where decoding is so many times faster than dense; by default as fast as "
                + "--cost allows.")
        prune = try arguments.option(
            "--prune", .directory,
            help: "The directory of a prune of this model: units may then go for good too.")
        printsJSON = arguments.flag("--json", help: "Print the result as JSON.")
        arguments.group("Search")
        density = try arguments.option(
            "--density", .number(in: 0.01...1).named("SHARE"), isRare: true,
            help: "The share of neurons that is computed, the same in every layer; by default "
                + "searched for.")
        way = try arguments.option(
            "--predictor", .choice(of: Way.self), default: .any,
            help:
                "How neurons are picked: coarse by weights in 4 bits, gate by their gates, trained "
                + "by a predictor, ahead by one of what enters the layer before, value by what "
                + "they come to, any by what the search finds best of coarse, trained and value; "
                + "of attention, trained picks heads, and value its inputs.")
        let ranks = try arguments.options(
            "--rank", .integer(in: 1...4096).named("COUNT"), isRare: true,
            help:
                "The rank of trained predictors, by default 64; of several the search chooses for "
                + "each layer.")
        self.ranks = ranks.isEmpty ? [64] : ranks
        arguments.group("Measuring")
        batch = try arguments.option(
            "--batch", .integer(in: 1...64), default: 1,
            help: "Sequences that are decoded together.")
        context = try arguments.option(
            "--sequence", .integer(in: 1...(1 << 20)).named("TOKENS"), default: 256,
            help: "The cached context of a timed decode step.")
        tokens = try arguments.option(
            "--tokens", .integer(in: 1024...(1 << 24)).named("COUNT"), default: 8192, isRare: true,
            help: "How many tokens of the text.")
        seconds = try arguments.option(
            "--seconds", .number(in: 0.1...86_400), default: 10,
            help: "The most time for each measurement.")
        precision = try EnvironmentOptions.precision(&arguments)
        threads = try EnvironmentOptions.threads(&arguments)
        guard density == nil || prune == nil else {
            throw UsageError("--density leaves nothing to search for --prune to go with")
        }
        guard density == nil || ranks.isEmpty || ranks.count == 1 && way.isTrained else {
            throw UsageError(
                "with --density give one --rank, and --predictor trained or ahead that has it")
        }
    }

    func run() throws {
        try requireAbsent(output)
        let opened = try OpenedModel(model)
        try HuggingFaceDirectory.check(opened.checkpoint)
        guard way != .gate || opened.shape.architecture.layer.isGated else {
            throw ModelFileError(
                file: opened.location.path, subject: "--predictor",
                problem: "the model's feed-forward blocks have no gate to tell neurons by",
                remedy: "leave the choice to the search, or use coarse, trained or value")
        }
        let length = min(512, opened.shape.maximumPositions)
        let windows = try opened.windows(
            ofText: text, tokens: tokens, length: length, encoderRemedy: "name a decoder")
        let stream = windows.flatMap(\.self)
        guard context < opened.shape.maximumPositions else {
            throw ModelFileError(
                file: opened.location.path, subject: "--sequence",
                problem: "a context of \(context) leaves no room in the model's "
                    + "\(opened.shape.maximumPositions) positions",
                remedy: "give a shorter --sequence")
        }
        guard windows.count > 1, stream.count > context + 1 else {
            throw ModelFileError(
                file: text, subject: "--text",
                problem: "it holds \(stream.count) tokens, too few to calibrate and to decode "
                    + "behind \(context)",
                remedy: "give a longer text, or a shorter --sequence")
        }
        var run = try SparsifyRun(
            opened,
            in: Environment(
                phase: .decode, batch: batch, sequence: context, threads: threads,
                precision: precision, runtime: "espalier"),
            wish: SparsifyRun.Wish(
                cost: cost, speedup: speedup, density: density,
                choices: way.choices(ranks: ranks), seconds: seconds, prune: prune),
            windows: windows,
            decoded: Array(stream.prefix(min(context + 64, opened.shape.maximumPositions))))
        let (found, report) = try run.run()
        let reached = report.best?.speedup ?? 1
        if let speedup, reached < speedup {
            throw ModelFileError(
                file: opened.location.path, subject: "--speedup",
                problem: "\(Human.ratio(speedup)) is not reached: at a cost of at most "
                    + "\(Human.percent(cost)) it is \(Human.ratio(reached))",
                remedy: "allow a greater --cost, or prune first")
        }
        try Terminal.standardError.stage("Writing \(output)") {
            try HuggingFaceDirectory.write(
                found.weights, like: opened.checkpoint, to: output
            ) { _ in try Interruption.check() }
            try ContextualFile.write(found.plan, to: output)
            try AtomicFile.write(report.html.utf8, to: output + "/sparsity.html")
        }
        DiskUse.remarkOn(opened.location, to: output)
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
