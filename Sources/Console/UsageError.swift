/// A mistake in the arguments of a command.
///
/// The text says how to correct it.
public struct UsageError: Error, Equatable, CustomStringConvertible {
    /// What is wrong and what to write instead.
    public let description: String

    /// Creates an error from its message, which names the option and the remedy.
    public init(_ description: String) {
        self.description = description
    }
}

/// How a run of the program ends.
public enum ExitStatus: Int32, Sendable {
    /// The work is done.
    case done = 0
    /// The work could not be done.
    case failed = 1
    /// The arguments were wrong.
    case usage = 2
    /// The user stopped the work; the number is the one that shells use for SIGINT.
    case interrupted = 130
}
