import CommandLine
import Foundation
import Pipeline

/// The command that measures whole models.
struct BenchCommand: Command {
    static let name = "bench"
    static let summary = "Measure how fast a model is, alone or against another."
    static let discussion = """
        Two models are timed in turn, so that whatever slows the machine slows both; the speedup is \
        the median of the pairs' ratios with its 95% confidence interval. --limits tells how near \
        the kernels come to what this machine can do at most. --serve is how \
        scripts/compare-runtimes times this program in turn with others.

        Example: espalier bench pruned/1.5x --against HuggingFaceTB/SmolLM2-135M

        Example: espalier bench out/1.5x --precision int8 --against SmolLM2.gguf \
        --against-precision f32

        Example: espalier bench my-bert --batch 8 --threads 1 --limits --json
        """

    private let options: BenchOptions
    private let serves: Bool
    private let asJSON: Bool

    init(_ arguments: inout Arguments) throws(UsageError) {
        var options = BenchOptions(try arguments.positional("MODEL", .model, help: Help.model))
        options.dense = try arguments.option(
            "--against", .model, help: "The model to compare with, which takes the same input.")
        options.densePrecision = try arguments.option(
            "--against-precision", .choice(),
            help: "The precision of that model; by default --precision too. MODEL itself may be "
                + "compared, in two precisions.")
        options.text = try arguments.option(
            "--text", .file,
            help: "Plain text to decode; needed by a model that sparsify made, whose steps take "
                + "as long as the text makes them.")
        asJSON = arguments.flag("--json", help: "Print JSON instead of text.")
        options.environment = try EnvironmentOptions(&arguments)
        options.seconds = try arguments.option(
            "--seconds", .number(in: 0.1...86_400), default: 20, help: "The most time to measure.")
        options.measuresLimits = arguments.flag(
            "--limits", isRare: true,
            help: "Also measure the machine's limits and how near the kernels come.")
        serves = arguments.flag(
            "--serve", isRare: true,
            help: "For programs: time the model whenever a line with a number of runs is read.")
        self.options = options
        try checkUsage(options.check)
        if serves, options.dense != nil || options.measuresLimits {
            throw UsageError("--serve times one model: leave out --against and --limits")
        }
    }

    func run() throws {
        let job = try BenchJob(options, progress: TerminalProgress())
        if serves { return try serve(job) }
        let (answer, names) = try job.run()
        asJSON ? try printJSON(answer) : print(answer.text(names: names), terminator: "")
    }

    /// Prints `{"ready":true}`, then answers every line of standard input.
    private func serve(_ job: BenchJob) throws {
        func answer(_ value: some Encodable) throws {
            try writeOutput(JSONEncoder().encode(value) + Data("\n".utf8))
        }
        var server = try job.server()
        try answer(["ready": true])
        while let line = readLine() { try answer(try server.answer(line)) }
    }
}
