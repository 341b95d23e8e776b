import Console
import Foundation
import Pipeline

/// The command that measures the speed of models.
struct BenchCommand: Command {
    static let name = "bench"
    static let summary = "Measure how fast a model is, alone or compared with another model."
    static let discussion = """
        Two models are timed alternately, so that disturbances of the machine affect both. The speedup is the \
        median of the pairs' ratios, with its 95% confidence interval. --limits compares the \
        kernels with the limits of this machine. scripts/compare-runtimes uses --serve to time \
        this program alternately with other runtimes.

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
            help: "The precision of the model of --against; by default the value of --precision. "
                + "Both models can be the same model in two precisions.")
        options.text = try arguments.option(
            "--text", .file,
            help: "Plain text to decode; needed for a model that sparsify wrote, because the time "
                + "of its steps depends on the text.")
        asJSON = arguments.flag("--json", help: "Print JSON instead of text.")
        options.environment = try EnvironmentOptions(&arguments)
        options.seconds = try arguments.option(
            "--seconds", .number(in: 0.1...86_400), default: 20,
            help: "The maximum time of the measurement in seconds.")
        options.measuresLimits = arguments.flag(
            "--limits", isRare: true,
            help: "Also measure the limits of the machine, and compare the kernels with them.")
        serves = arguments.flag(
            "--serve", isRare: true,
            help: "For programs: for each line with a number of runs on standard input, time the "
                + "model.")
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
