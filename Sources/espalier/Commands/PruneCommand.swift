import Console
import Pipeline

/// The command that prunes a model to target speedups.
struct PruneCommand: Command {
    static let name = "prune"
    static let summary = "Make a model faster on this CPU by a measured factor."
    static let discussion = """
        Profiles the CPU, calibrates on text, removes attention heads and feed-forward neurons \
        that take much time and add little quality, times the result alternately with the dense \
        model, and corrects the plan until the target is reached. If the command is stopped and \
        run again, it resumes after the last finished stage.

        Example: espalier prune SmolLM2.gguf --speedup 1.25 --calibration wiki.txt -o out

        With --recover it prunes to the targets in order, trains the model after each, and \
        continues from the trained model. This needs --steps, and --text or --task as the training \
        set.

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

/// The error at the end of a prune that wrote only the models of lower targets.
private struct RefusedTarget: Error, CustomStringConvertible {
    let description: String
}
