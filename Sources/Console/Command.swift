/// One command of the program: it reads arguments and does some work.
///
/// `init` is called twice. The first call finds out which arguments exist (``Arguments``), and the
/// second call gets the given values. Therefore it reads every argument in both calls, checks
/// combinations of arguments only after the last read, and does no work.
public protocol Command {
    /// The word that selects the command.
    static var name: String { get }
    /// A sentence about what the command does, with a full stop.
    static var summary: String { get }
    /// Further explanation. Paragraphs are separated by an empty line.
    static var discussion: String { get }

    /// Reads the arguments.
    ///
    /// - Parameter arguments: The arguments; each read declares an argument and returns its value.
    /// - Throws: ``UsageError`` if an argument is missing, malformed or contradicts another
    ///   argument.
    init(_ arguments: inout Arguments) throws(UsageError)

    /// Does the work. Results go to standard output, everything else to standard error.
    func run() throws
}

extension Command {
    /// No further explanation.
    public static var discussion: String { "" }

    /// The arguments that the command reads, in the order of its reads.
    static var declarations: [Declaration] {
        var arguments = Arguments()
        // Checks of placeholder values may fail. By then every read has been recorded.
        _ = try? Self(&arguments)
        return arguments.declarations
    }

    /// Creates the command from the words after its name.
    static func parse(_ words: [String]) throws(UsageError) -> Self {
        var arguments = Arguments(given: try ParsedArguments(words, for: declarations))
        return try Self(&arguments)
    }
}
