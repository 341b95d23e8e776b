import Foundation

/// A program of several commands.
///
/// It finds the named command, runs it, and prints help and the version.
public struct CommandSet {
    /// The program's name, as the user types it.
    let program: String
    let version: String
    /// The purpose of the program, in one sentence.
    let summary: String
    let commands: [any Command.Type]
    /// Returns the message to print for an error that has no useful text, such as a system error;
    /// nil for other errors.
    private let describing: (any Error) -> String?
    /// Returns whether an error other than ``UsageError`` is a mistake in the arguments.
    private let isUsage: (any Error) -> Bool

    /// The names of the commands, in order.
    var commandNames: [String] { commands.map { $0.name } }

    /// Creates a program from its commands, in the order in which help lists them.
    ///
    /// - Parameters:
    ///   - program: The program's name, as the user types it.
    ///   - version: The program's version.
    ///   - summary: The purpose of the program, in one sentence.
    ///   - commands: The program's commands.
    ///   - describing: Returns the message to print for an error that has no useful text, such as a
    ///     system error; nil for other errors.
    ///   - isUsage: Returns whether an error other than ``UsageError`` is a mistake in the
    ///     arguments.
    public init(
        program: String, version: String, summary: String, commands: [any Command.Type],
        describing: @escaping (any Error) -> String? = { _ in nil },
        isUsage: @escaping (any Error) -> Bool = { _ in false }
    ) {
        self.program = program
        self.version = version
        self.summary = summary
        self.commands = commands
        self.describing = describing
        self.isUsage = isUsage
    }

    /// Runs the command line of the process, and ends the process.
    public func main() -> Never {
        let status = run(
            Array(ProcessInfo.processInfo.arguments.dropFirst()),
            output: { print($0, terminator: "") },
            errors: { try? FileHandle.standardError.write(contentsOf: Data($0.utf8)) })
        guard status != .done || fflush(nil) == 0 else {
            try? FileHandle.standardError.write(
                contentsOf: Data("\(program): standard output cannot be written\n".utf8))
            exit(ExitStatus.failed.rawValue)
        }
        exit(status.rawValue)
    }

    /// Runs one command line.
    ///
    /// - Parameters:
    ///   - words: The words after the program's name.
    ///   - output: Receives help and versions.
    ///   - errors: Receives error messages.
    /// - Returns: The status that the process should exit with.
    public func run(
        _ words: [String], output: (String) -> Void, errors: (String) -> Void
    ) -> ExitStatus {
        var name = program
        do {
            guard let first = words.first else {
                errors(Help.overview(of: self))
                return .usage
            }
            let rest = Array(words.dropFirst())
            switch first {
            case "-h", "--help": output(Help.overview(of: self))
            case "help": output(try help(for: rest))
            case "--version", "version": output("\(program) \(version)\n")
            case "completion": output(try completion(for: rest))
            default:
                let command = try command(named: first)
                name = "\(program) \(command.name)"
                if let page = helpPage(of: command, askedBy: rest) {
                    output(page)
                } else {
                    try command.parse(rest).run()
                }
            }
            return .done
        } catch let error where error is UsageError || isUsage(error) {
            let message = TerminalText.printable("\(error)", keepingLines: true)
            errors("\(name): \(message)\nTry '\(name) --help'.\n")
            return .usage
        } catch is CancellationError {
            errors("\(name): interrupted\n")
            return .interrupted
        } catch {
            let message = TerminalText.printable(describe(error), limit: Self.longestMessage)
            errors("\(name): \(message)\n")
            return .failed
        }
    }

    private func help(for words: [String]) throws(UsageError) -> String {
        guard let word = words.first else { return Help.overview(of: self) }
        if word == Help.markdownFlag, words.count == 1 { return Help.markdown(of: self) }
        let command = try command(named: word)
        return helpPage(of: command, askedBy: Array(words.dropFirst()))
            ?? Help.page(of: command, program: program)
    }

    /// Returns the help page if the words after the command contain a help flag; otherwise nil.
    private func helpPage(of command: any Command.Type, askedBy words: [String]) -> String? {
        let options = words.prefix { $0 != "--" }
        let showsAll = options.contains(where: Declaration.helpAllFlag.isNamed)
        guard showsAll || options.contains(where: Declaration.helpFlag.isNamed) else { return nil }
        return Help.page(of: command, program: program, showsAll: showsAll)
    }

    private func completion(for words: [String]) throws(UsageError) -> String {
        guard let word = words.first, let shell = Shell(rawValue: word) else {
            let names = Shell.allCases.map(\.rawValue).joined(separator: ", ")
            throw UsageError("completion needs the name of a shell: \(names)")
        }
        return shell.script(for: self)
    }

    private func command(named word: String) throws(UsageError) -> any Command.Type {
        if let command = commands.first(where: { $0.name == word }) { return command }
        let names = commandNames
        if let near = Spelling.nearest(to: word, among: names + ["help", "completion"]) {
            throw UsageError("there is no command '\(word)'; did you mean '\(near)'?")
        }
        throw UsageError(
            "there is no command '\(word)'; the commands are \(names.joined(separator: ", "))")
    }

    /// Returns the path of a value in a JSON document, such as `targets[0].perplexity`.
    private static func path(_ keys: [any CodingKey]) -> String {
        keys.reduce("") { path, key in
            if let index = key.intValue { return "\(path)[\(index)]" }
            return path.isEmpty ? key.stringValue : "\(path).\(key.stringValue)"
        }
    }

    /// The maximum number of characters of an error message.
    private static let longestMessage = 2000

    /// Returns the message to print for an error.
    ///
    /// For system errors it is the localised description.
    private func describe(_ error: any Error) -> String {
        if let words = describing(error) { return words }
        return switch error {
        case EncodingError.invalidValue(let value, let context):
            "\(Self.path(context.codingPath)): \(value) cannot be written as JSON; a computation "
                + "overflowed, or its input is damaged"
        case let error as any LocalizedError: error.errorDescription ?? "\(error)"
        case is CocoaError, is POSIXError, is URLError: error.localizedDescription
        default: "\(error)"
        }
    }
}
