import Foundation
import Reporting

/// Where progress is shown: a terminal, whose last line can be redrawn, or a plain stream.
public struct Terminal: Sendable {
    /// Whether lines can be redrawn.
    let isInteractive: Bool
    /// The columns that one line may take.
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

    /// Shows that something takes a while, and how long it took.
    ///
    /// A terminal shows one line, `Packing … done in 3.2 s`; a plain stream one at each end.
    ///
    /// - Parameters:
    ///   - title: What is done, such as `Packing`.
    ///   - work: Does it.
    /// - Returns: What the work returned.
    /// - Throws: What the work threw.
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

    /// The window's columns, at most a page's; a page's where nothing is known.
    private static func columns(of descriptor: Int32) -> Int {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
            return TextLayout.pageWidth
        }
        return min(Int(size.ws_col), TextLayout.pageWidth)
    }
}
