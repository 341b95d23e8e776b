import Console
import Foundation
import Pipeline
import Synchronization

/// Shows the progress of a job on standard error; SIGINT and SIGTERM stop the job.
struct TerminalProgress: JobProgress {
    func begin(_ title: String, total: Int, unit: String) -> any CountedStage {
        Stage(bar: ProgressBar(title, total: total, unit: unit))
    }

    func stage<Result>(_ title: String, _ work: () throws -> Result) throws -> Result {
        try Terminal.standardError.stage(title, work)
    }

    func remark(_ text: String) {
        let shown = TerminalText.printable(text, keepingLines: true)
        try? FileHandle.standardError.write(contentsOf: Data((shown + "\n").utf8))
    }

    /// Shows each remark once, even if its model is opened several times.
    func remark(onModel text: String) {
        if Self.remarked.withLock({ $0.insert(text).inserted }) { remark(text) }
    }

    func checkCancellation() throws { try Interruption.check() }

    private static let remarked = Mutex<Set<String>>([])

    private struct Stage: CountedStage {
        let bar: ProgressBar

        func advance(to count: Int, note: String?) { bar.advance(to: count, note: note) }
        func finish() { bar.finish() }
    }
}

/// Writes a remark to standard error.
func remark(_ text: String) { TerminalProgress().remark(text) }
