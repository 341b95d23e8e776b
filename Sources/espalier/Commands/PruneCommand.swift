import CommandLine
import Pipeline

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

        With --recover it goes from target to target, trains the model after each, and prunes on \
        from there; that needs --steps, and --text or --task to train on.

        Example: espalier prune my-bert --speedup 2 --speedup 4 --calibration text.txt \
        --recover distill --task sst2.jsonl --steps 500 -o out
        """

    private let options: PruneOptions
    private let printsJSON: Bool

    init(_ arguments: inout Arguments) throws(UsageError) {
        var printsJSON = false
        options = try PruneOptions(&arguments, printsJSON: &printsJSON)
        self.printsJSON = printsJSON
    }

    func run() throws {
        let report = try PruneJob(options, progress: TerminalProgress()).run()
        if printsJSON {
            try writeOutput(report.json())
        } else {
            print(PruneSummary(report, output: options.output).text)
        }
        if let refused = report.refused {
            throw RefusedTarget(description: "\(options.output): \(refused)")
        }
    }
}

/// What a prune that wrote lower targets ends with.
private struct RefusedTarget: Error, CustomStringConvertible {
    let description: String
}
