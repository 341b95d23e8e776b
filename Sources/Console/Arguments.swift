/// The arguments of one command: each read declares an argument and returns its value.
///
/// Help, completion and parsing all come from these reads, so nothing is declared twice:
///
/// ```swift
/// batch = try arguments.option(
///     "--batch", .integer(in: 1...1024), default: 1, help: "Sequences per call.")
/// ```
///
/// A command's `init` runs twice. In the first run no words are given: optional reads return their
/// defaults, required reads return a placeholder value, and no read throws. Then the names of all
/// arguments are known, and the words of the command line are assigned to them. In the second run
/// the reads return the given values.
public struct Arguments {
    private(set) var declarations: [Declaration] = []
    /// Nil while arguments are only declared.
    private let given: ParsedArguments?
    private var positionalsRead = 0
    private var group = Declaration.usualGroup

    /// Creates arguments that only record the reads.
    init() { given = nil }

    /// Creates arguments that return the given words.
    init(given: ParsedArguments) { self.given = given }

    /// Begins a group of options: help lists all options that are read after this call under a
    /// heading.
    ///
    /// - Parameter title: The heading, such as `Measuring`; nil for the heading of options without
    ///   a group.
    public mutating func group(_ title: String? = nil) {
        group = title ?? Declaration.usualGroup
    }

    /// Reads whether a flag was given; `--help` does not list rare flags.
    public mutating func flag(
        _ name: String, short: Character? = nil, isRare: Bool = false, help: String
    ) -> Bool {
        declarations.append(
            Declaration(
                name: name, form: .flag, short: short, help: help, group: group, isRare: isRare))
        return given?.values[name] != nil
    }

    /// Reads an option that has a default; `--help` does not list rare options.
    public mutating func option<Value>(
        _ name: String, short: Character? = nil, _ kind: ValueKind<Value>, default value: Value,
        isRare: Bool = false, help: String
    ) throws(UsageError) -> Value {
        declare(name, short, kind, isRare: isRare, help: help) {
            $0.defaultText = kind.show(value)
        }
        return try values(of: name, kind).first ?? value
    }

    /// Reads an option that may be absent; `--help` does not list rare options.
    public mutating func option<Value>(
        _ name: String, short: Character? = nil, _ kind: ValueKind<Value>, isRare: Bool = false,
        help: String
    ) throws(UsageError) -> Value? {
        declare(name, short, kind, isRare: isRare, help: help) { _ in }
        return try values(of: name, kind).first
    }

    /// Reads an option that must be given.
    public mutating func requiredOption<Value>(
        _ name: String, short: Character? = nil, _ kind: ValueKind<Value>, help: String
    ) throws(UsageError) -> Value {
        declare(name, short, kind, help: help) { $0.isRequired = true }
        return try demand(try values(of: name, kind).first, name, kind)
    }

    /// Reads an option that may be given several times, in the given order; `--help` does not list
    /// rare options.
    public mutating func options<Value>(
        _ name: String, short: Character? = nil, _ kind: ValueKind<Value>, required: Bool = false,
        isRare: Bool = false, help: String
    ) throws(UsageError) -> [Value] {
        declare(name, short, kind, isRare: isRare, help: help) {
            $0.isRepeated = true
            $0.isRequired = required
        }
        let values = try values(of: name, kind)
        return values.isEmpty && required ? [try demand(nil, name, kind)] : values
    }

    /// Reads the next positional argument, which must be given.
    public mutating func positional<Value>(
        _ name: String, _ kind: ValueKind<Value>, help: String
    ) throws(UsageError) -> Value {
        declare(name, nil, kind, help: help) { $0.isRequired = true }
        return try demand(try nextPositional(name, kind), name, kind)
    }

    /// Reads the next positional argument, which may be absent.
    public mutating func optionalPositional<Value>(
        _ name: String, _ kind: ValueKind<Value>, help: String
    ) throws(UsageError) -> Value? {
        declare(name, nil, kind, help: help) { _ in }
        return try nextPositional(name, kind)
    }

    /// Reads all remaining positional arguments, at least one.
    public mutating func positionals<Value>(
        _ name: String, _ kind: ValueKind<Value>, help: String
    ) throws(UsageError) -> [Value] {
        declare(name, nil, kind, help: help) {
            $0.isRequired = true
            $0.isRepeated = true
        }
        var values: [Value] = []
        while let value = try nextPositional(name, kind) { values.append(value) }
        return values.isEmpty ? [try demand(nil, name, kind)] : values
    }

    private mutating func declare<Value>(
        _ name: String, _ short: Character?, _ kind: ValueKind<Value>, isRare: Bool = false,
        help: String, _ adjust: (inout Declaration) -> Void
    ) {
        let isOption = name.hasPrefix("-")
        var declaration = Declaration(
            name: name, form: isOption ? .option : .positional, short: short,
            placeholder: kind.placeholder, help: help, constraint: kind.constraint,
            completion: kind.completion, group: group, isRare: isRare)
        adjust(&declaration)
        declarations.append(declaration)
    }

    private func values<Value>(
        of name: String, _ kind: ValueKind<Value>
    ) throws(UsageError) -> [Value] {
        var values: [Value] = []
        for word in given?.values[name] ?? [] { values.append(try parse(word, name, kind)) }
        return values
    }

    private mutating func nextPositional<Value>(
        _ name: String, _ kind: ValueKind<Value>
    ) throws(UsageError) -> Value? {
        guard let given, positionalsRead < given.positionals.count else { return nil }
        positionalsRead += 1
        return try parse(given.positionals[positionalsRead - 1], name, kind)
    }

    private func parse<Value>(
        _ word: String, _ name: String, _ kind: ValueKind<Value>
    ) throws(UsageError) -> Value {
        if let value = kind.parse(word) { return value }
        var hint = ""
        if case .choices(let choices) = kind.completion,
            let near = Spelling.nearest(to: word, among: choices)
        {
            hint = "; did you mean '\(near)'?"
        }
        throw UsageError("\(name) needs \(kind.expectation), not '\(word)'\(hint)")
    }

    /// Returns a required value.
    ///
    /// If the value is absent, it throws. While arguments are only declared, it returns a
    /// placeholder value instead.
    private func demand<Value>(
        _ value: Value?, _ name: String, _ kind: ValueKind<Value>
    ) throws(UsageError) -> Value {
        if let value { return value }
        guard given != nil, let declaration = declarations.last else { return kind.example }
        throw UsageError("\(declaration.title) is missing: \(declaration.help)")
    }
}
