import Console
import Pipeline
import Reporting

/// The command that writes the report of a prune again.
struct ReportCommand: Command {
    static let name = "report"
    static let summary = "Write the report of a prune again, with the scores of tasks."
    static let discussion = """
        Reads report.json of a prune's directory and writes report.html and report.md there. With \
        --task, the dense model and all pruned models are first evaluated on a task (see espalier \
        evaluate), and their scores are added to all three files.

        Example: espalier report out

        Example: espalier report out --task piqa.jsonl --task sciq.jsonl --items 500
        """

    private let options: ReportOptions

    init(_ arguments: inout Arguments) throws(UsageError) {
        var options = ReportOptions(
            try arguments.positional("RUN", .directory, help: "The directory of a prune."))
        options.tasks = try arguments.options(
            "--task", .file, help: "A task file, as JSON lines or a table.")
        options.items = try arguments.option(
            "--items", .integer(atLeast: 1).named("COUNT"),
            help: "Evaluate only the first items of each task; by default all.")
        options.threads = try EnvironmentOptions.threads(&arguments)
        self.options = options
    }

    func run() throws {
        let report = try ReportJob(options, progress: TerminalProgress()).run()
        if let advice = report.advice { print(TerminalText.wrapped(advice)) }
        print("\(options.directory)/report.html")
    }
}
