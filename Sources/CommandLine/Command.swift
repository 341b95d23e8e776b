/// One command of the program: the arguments it reads and the work it does.
///
/// `init` is called twice: first to learn which arguments exist (``Arguments``), then with the
/// values given. It therefore reads every argument unconditionally, checks relations between them
/// after the last read, and does no work.
public protocol Command {
    /// The word that selects the command.
    static var name: String { get }
    /// What it does, in one line ending with a full stop.
    static var summary: String { get }
    /// What the summary leaves out; paragraphs are separated by an empty line.
    static var discussion: String { get }

    /// Reads the arguments.
    ///
    /// - Parameter arguments: What the user wrote, read and described at once.
    /// - Throws: ``UsageError`` where an argument is missing, malformed or contradicts another.
    init(_ arguments: inout Arguments) throws(UsageError)

    /// Does the work; results go to standard output, everything else to standard error.
    func run() throws
}

extension Command {
    /// Nothing beyond the summary.
    public static var discussion: String { "" }

    /// The arguments that the command reads, in the order of its reads.
    static var declarations: [Declaration] {
        var arguments = Arguments()
        // Checks on stand-in values may fail; every read has been recorded by then.
        _ = try? Self(&arguments)
        return arguments.declarations
    }

    /// Creates the command from the words after its name.
    static func parse(_ words: [String]) throws(UsageError) -> Self {
        var arguments = Arguments(given: try GivenWords(words, for: declarations))
        return try Self(&arguments)
    }
}
