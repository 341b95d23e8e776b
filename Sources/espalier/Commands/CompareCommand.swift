import Console
import Foundation
import ModelFiles
import Pipeline
import Reporting

/// The command that shows several prunes on one page.
struct CompareCommand: Command {
    static let name = "compare"
    static let summary = "Put several prunes on one page."
    static let discussion = """
        Reads report.json of each directory. Models are shown by their time, so that runs of one \
        model in two precisions can be compared. If other conditions differ, the page says so. For \
        each model with a measured quality, the page and the terminal give the advice of its report.

        Example: espalier compare greedy spdy -o compared.html
        """

    private let runs: [String]
    private let output: String

    init(_ arguments: inout Arguments) throws(UsageError) {
        runs = try arguments.positionals(
            "RUN", .directory, help: "Directories of prunes, two or more.")
        output = try arguments.requiredOption(
            "--output", short: "o", .file, help: "The page to write.")
        guard runs.count > 1 else { throw UsageError("name at least two directories to compare") }
    }

    func run() throws {
        let page = ComparisonPage(
            try runs.map {
                let name = URL(fileURLWithPath: $0).lastPathComponent
                return (name, try PruneReport(inDirectory: $0))
            })
        for caveat in page.caveats { remark(caveat) }
        try AtomicFile.write(Array(page.html.utf8), to: output)
        for advice in page.advice { print(TerminalText.wrapped(advice)) }
        print(output)
    }
}
