import CommandLine
import Pipeline

/// The command that makes the report of a prune anew.
struct ReportCommand: Command {
    static let name = "report"
    static let summary = "Make the report of a prune anew, with the scores of tasks."
    static let discussion = """
        Reads report.json of a prune's directory and writes report.html and report.md beside it. \
        With --task the dense model and every pruned one are asked the questions of a file first \
        (see espalier evaluate), and their scores go into all three.

        Example: espalier report out

        Example: espalier report out --task piqa.jsonl --task sciq.jsonl --items 500
        """

    private let options: ReportOptions

    init(_ arguments: inout Arguments) throws(UsageError) {
        var options = ReportOptions(
            try arguments.positional("RUN", .directory, help: "The directory of a prune."))
        options.tasks = try arguments.options(
            "--task", .file, help: "A file of questions, as JSON lines; again for more.")
        options.items = try arguments.option(
            "--items", .integer(atLeast: 1).named("COUNT"),
            help: "Only the first questions of each task; all by default.")
        options.threads = try EnvironmentOptions.threads(&arguments)
        self.options = options
    }

    func run() throws {
        try ReportJob(options, progress: TerminalProgress()).run()
        print("\(options.directory)/report.html")
    }
}
