import Foundation
import Reporting
import Synchronization

/// Shows the progress of long work: the fraction that is done, the rate, and the remaining time.
///
/// On a terminal it redraws one line at most ten times a second. On a plain stream it writes a new
/// line every five seconds. All methods may be called from any thread.
public final class ProgressBar: Sendable {
    private struct State {
        var count = 0
        var note = ""
        var lastShown: Double
        var isFinished = false
    }

    private let title: String
    private let total: Int
    private let unit: String
    private let terminal: Terminal
    private let start: Double
    private let state: Mutex<State>

    /// Starts showing progress.
    ///
    /// - Parameters:
    ///   - title: The name of the work, such as `Calibrating`.
    ///   - total: The number of steps.
    ///   - unit: The name of a step, in the plural, such as `tokens`.
    ///   - terminal: The terminal that shows the progress.
    public init(
        _ title: String, total: Int, unit: String, on terminal: Terminal = .standardError
    ) {
        self.title = TerminalText.printable(title)
        self.total = max(0, total)
        self.unit = unit
        self.terminal = terminal
        start = terminal.now()
        state = Mutex(State(lastShown: start))
        terminal.write(terminal.isInteractive ? line(count: 0, at: start) : "\(self.title) …\n")
    }

    deinit {
        state.withLock { end(&$0, "stopped at \(fraction(of: $0.count))") }
    }

    /// Sets the number of finished steps, which may be smaller than before.
    ///
    /// - Parameters:
    ///   - count: The number of finished steps.
    ///   - note: Further text, such as a loss; nil to keep the last note.
    public func advance(to count: Int, note: String? = nil) {
        state.withLock {
            $0.note = note.map { TerminalText.printable($0) } ?? $0.note
            move(&$0, to: count)
        }
    }

    /// Adds to the number of finished steps.
    public func advance(by steps: Int = 1) {
        state.withLock { move(&$0, to: $0.count + steps) }
    }

    /// Replaces the bar by a summary with the time that the work took.
    ///
    /// Later calls do nothing.
    ///
    /// If not all steps are done, the work has failed, and the summary says where it stopped.
    public func finish() {
        state.withLock {
            guard $0.count == total else {
                return end(&$0, "stopped at \(fraction(of: $0.count))")
            }
            let seconds = terminal.now() - start
            let rate =
                seconds > 0
                ? " (\(Figures.shortCount($0.count)) \(unit), \(rate($0, seconds)))" : ""
            end(&$0, "done in \(Figures.duration(seconds))\(rate)")
        }
    }

    private func move(_ state: inout State, to count: Int) {
        state.count = min(max(0, count), total)
        let now = terminal.now()
        guard !state.isFinished, now - state.lastShown >= (terminal.isInteractive ? 0.1 : 5) else {
            return
        }
        state.lastShown = now
        terminal.write(line(count: state.count, at: now, note: state.note))
    }

    private func end(_ state: inout State, _ outcome: String) {
        guard !state.isFinished else { return }
        state.isFinished = true
        terminal.write("\(terminal.isInteractive ? "\r\u{1B}[K" : "")\(title) … \(outcome)\n")
    }

    private func fraction(of count: Int) -> String {
        total == 0 ? "100%" : "\(count * 100 / total)%"
    }

    private func rate(_ state: State, _ seconds: Double) -> String {
        rate(Double(state.count) / seconds)
    }

    private func rate(_ perSecond: Double) -> String {
        let number =
            perSecond < 10
            ? Figures.significant(perSecond, digits: 2)
            : Figures.shortCount(Int(min(perSecond, 1e15).rounded()))
        return "\(number) \(unit)/s"
    }

    /// Returns one line with title, bar, percentage, rate and remaining time, cut to the width.
    private func line(count: Int, at now: Double, note: String = "") -> String {
        let seconds = now - start
        var facts = [TextLayout.rightAligned(fraction(of: count), to: 4)]
        if count > 0, seconds > 0 {
            let perSecond = Double(count) / seconds
            facts.append(rate(perSecond))
            facts.append("\(Figures.duration(Double(total - count) / perSecond)) left")
        }
        if !note.isEmpty { facts.insert(note, at: 1) }
        if Interruption.isRequested { facts = [facts[0], "stopping after this step"] }
        guard terminal.isInteractive else {
            return "\(title) … \(fraction(of: count))"
                + facts.dropFirst().map { ", \($0)" }.joined() + "\n"
        }
        // The last column stays empty, because some terminals begin a new line when it is written.
        let width = terminal.width() - 1
        while facts.count > 1, width < title.count + 8 + facts.joined(separator: "  ").count + 4 {
            facts.removeLast()
        }
        let text = facts.joined(separator: "  ")
        let room = min(30, width - TextLayout.width(of: title) - text.count - 4)
        let bar = room >= 4 ? "  " + Self.bar(count, of: total, width: room) : ""
        return "\r\u{1B}[K" + TextLayout.truncated("\(title)\(bar)  \(text)", to: width)
    }

    /// Draws a bar of `width` columns.
    ///
    /// The length of the filled part is a multiple of an eighth of a column.
    static func bar(_ count: Int, of total: Int, width: Int) -> String {
        let eighths =
            total == 0 ? width * 8 : Int(Double(count) / Double(total) * Double(width * 8))
        let full = eighths / 8
        let part = eighths % 8 == 0 ? "" : String(Array("▏▎▍▌▋▊▉")[eighths % 8 - 1])
        return String(repeating: "█", count: full) + part
            + String(repeating: "░", count: width - full - (part.isEmpty ? 0 : 1))
    }
}
