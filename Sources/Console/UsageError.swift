/// A mistake in the arguments of a command.
///
/// The message says how to correct the mistake.
public struct UsageError: Error, Equatable, CustomStringConvertible {
    /// The problem and the remedy.
    public let description: String

    /// Creates an error from its message, which names the option and the remedy.
    public init(_ description: String) {
        self.description = description
    }
}

/// The exit status of the program.
public enum ExitStatus: Int32, Sendable {
    /// The work is done.
    case done = 0
    /// The work could not be done.
    case failed = 1
    /// The arguments were wrong.
    case usage = 2
    /// The user stopped the work; shells use this number for SIGINT.
    case interrupted = 130
}
