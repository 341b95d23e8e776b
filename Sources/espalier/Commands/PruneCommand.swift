import CommandLine

/// The command that runs the whole pipeline.
struct PruneCommand: Command {
    static let name = "prune"
    static let summary = "Make a model faster on this CPU by a measured factor."
    static let discussion = """
        Profiles the CPU, calibrates on text, removes the attention heads and feed-forward neurons \
        that cost the most time for the least quality, measures the result against the dense \
        model, and corrects the plan until the target holds. Stopped and run again, it goes on \
        after the last finished stage.

        Example: espalier prune SmolLM2.gguf --speedup 1.25 --calibration wiki.txt -o out

        Example: espalier prune my-bert --speedup 2 --speedup 3 --calibration text.txt -o out
        """

    private let options: PruneOptions

    init(_ arguments: inout Arguments) throws(UsageError) {
        options = try PruneOptions(&arguments)
    }

    func run() throws {
        let run = try PruneRun(options)
        let report = try run.finish()
        if options.printsJSON {
            try writeOutput(report.json())
        } else {
            print(PruneSummary(report, output: options.output).text)
        }
    }
}
