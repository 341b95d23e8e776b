/// What one read of ``Arguments`` tells about an argument, for help, parsing and completion.
struct Declaration: Equatable {
    /// Where the argument stands and what it takes.
    enum Form: Equatable {
        /// Stands alone and means yes.
        case flag
        /// Followed by a value.
        case option
        /// A value without a name.
        case positional
    }

    /// What a shell may offer for the value.
    enum Completion: Equatable {
        /// Nothing can be offered.
        case none
        /// Any file.
        case file
        /// Any directory.
        case directory
        /// One of these words.
        case choices([String])
    }

    /// `--batch` of an option or flag, `MODEL` of a positional.
    let name: String
    var form: Form
    /// `o` of `-o`.
    var short: Character?
    /// What stands for the value in help, such as `N`; empty for flags.
    var placeholder = ""
    let help: String
    /// `1 to 1024`, empty where everything of the type will do.
    var constraint = ""
    var defaultText: String?
    var completion = Completion.none
    var isRequired = false
    var isRepeated = false
    /// The heading that help lists it under.
    var group = Self.usualGroup
    /// Whether only `--help-all` shows it.
    var isRare = false

    /// The heading of options that belong to no other.
    static let usualGroup = "Options"
    /// `-h, --help`, which every command has.
    static let helpFlag = Declaration(
        name: "--help", form: .flag, short: "h", help: "Show this help.")
    /// `--help-all`, which every command has.
    static let helpAllFlag = Declaration(
        name: "--help-all", form: .flag, help: "Show all options, rarely used ones too.")
    /// The same where it is known how many options it adds.
    static func helpAllFlag(showing hidden: Int) -> Declaration {
        let options = hidden == 1 ? "1 more option" : "\(hidden) more options"
        return Declaration(
            name: helpAllFlag.name, form: .flag, help: "Show \(options), rarely needed.")
    }
    /// What every command has.
    static let helpFlags = [helpFlag, helpAllFlag]

    /// Whether a word names this option or flag.
    func isNamed(_ word: some StringProtocol) -> Bool {
        form != .positional && (name == word || short.map { "-\($0)" == word } ?? false)
    }

    /// `--batch N` or `MODEL`, as help and errors call it.
    var title: String {
        placeholder.isEmpty || form == .positional ? name : "\(name) \(placeholder)"
    }
}
