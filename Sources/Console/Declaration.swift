/// An argument that a command reads from ``Arguments``, for help, parsing and completion.
struct Declaration: Equatable {
    /// The form of an argument on the command line.
    enum Form: Equatable {
        /// A name without a value.
        case flag
        /// A name followed by a value.
        case option
        /// A value without a name.
        case positional
    }

    /// The words that a shell can suggest for the value.
    enum Completion: Equatable {
        /// No suggestion.
        case none
        /// Any file.
        case file
        /// Any directory.
        case directory
        /// One of these words.
        case choices([String])
    }

    /// The name: `--batch` of an option or flag, `MODEL` of a positional argument.
    let name: String
    var form: Form
    /// The short name: `o` for `-o`.
    var short: Character?
    /// The placeholder of the value in help, such as `N`; empty for flags.
    var placeholder = ""
    let help: String
    /// The limits of the value, such as `1 to 1024`; empty if there are none.
    var constraint = ""
    var defaultText: String?
    var completion = Completion.none
    var isRequired = false
    var isRepeated = false
    /// The heading under which help lists the argument.
    var group = Self.usualGroup
    /// Whether only `--help-all` shows the argument.
    var isRare = false

    /// The heading of options without another heading.
    static let usualGroup = "Options"
    /// `-h, --help`, which every command has.
    static let helpFlag = Declaration(
        name: "--help", form: .flag, short: "h", help: "Show this help.")
    /// `--help-all`, which every command has.
    static let helpAllFlag = Declaration(
        name: "--help-all", form: .flag, help: "Show all options, also rarely used options.")
    /// Returns the declaration of `--help-all`, with the number of options that it adds.
    static func helpAllFlag(showing hidden: Int) -> Declaration {
        let options = hidden == 1 ? "1 more option" : "\(hidden) more options"
        return Declaration(
            name: helpAllFlag.name, form: .flag, help: "Show \(options), rarely needed.")
    }
    /// The help flags of every command.
    static let helpFlags = [helpFlag, helpAllFlag]

    /// Returns whether a word names this option or flag.
    func isNamed(_ word: some StringProtocol) -> Bool {
        form != .positional && (name == word || short.map { "-\($0)" == word } ?? false)
    }

    /// The name with the placeholder, as in help and errors: `--batch N` or `MODEL`.
    var title: String {
        placeholder.isEmpty || form == .positional ? name : "\(name) \(placeholder)"
    }
}
