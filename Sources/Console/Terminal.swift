import Foundation
import Reporting

/// The output for progress: a terminal, whose last line can be redrawn, or a plain stream.
public struct Terminal: Sendable {
    /// Whether lines can be redrawn.
    let isInteractive: Bool
    /// The maximum number of columns of a line.
    let width: @Sendable () -> Int
    let write: @Sendable (String) -> Void
    /// Seconds on a clock that never goes back.
    let now: @Sendable () -> Double

    /// The standard error stream.
    public static let standardError = Terminal(
        isInteractive: isatty(STDERR_FILENO) == 1
            && ProcessInfo.processInfo.environment["TERM"] != "dumb",
        width: { columns(of: STDERR_FILENO) },
        write: { try? FileHandle.standardError.write(contentsOf: Data($0.utf8)) },
        now: { ProcessInfo.processInfo.systemUptime })

    /// Does some work, and shows that it is running and how long it took.
    ///
    /// On a terminal it shows one line, `Packing … done in 3.2 s`. On a plain stream it shows one
    /// line at the beginning and one at the end.
    ///
    /// - Parameters:
    ///   - title: The name of the work, such as `Packing`.
    ///   - work: The work.
    /// - Returns: The result of the work.
    /// - Throws: The error of the work.
    public func stage<Result, Failure: Error>(
        _ title: String, _ work: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let (start, title) = (now(), TerminalText.printable(title))
        write(isInteractive ? "\(title) …" : "\(title) …\n")
        let before = isInteractive ? "\r\u{1B}[K" : ""
        do {
            let result = try work()
            write("\(before)\(title) … done in \(Figures.duration(now() - start))\n")
            return result
        } catch {
            write("\(before)\(title) … stopped after \(Figures.duration(now() - start))\n")
            throw error
        }
    }

    /// Returns the number of columns of the window, at most the width of a page.
    ///
    /// If it is unknown, the result is the width of a page.
    private static func columns(of descriptor: Int32) -> Int {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
            return TextLayout.pageWidth
        }
        return min(Int(size.ws_col), TextLayout.pageWidth)
    }
}
