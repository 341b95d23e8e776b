/// The words of a command line, assigned to the arguments that a command declares.
struct ParsedArguments: Equatable {
    /// The values of each option given, by its long name; empty lists for flags.
    private(set) var values: [String: [String]] = [:]
    /// The words that belong to no option, in order.
    private(set) var positionals: [String] = []

    /// Assigns the words `--name value`, `--name=value`, `-n value` and `--flag`; `--` ends
    /// options.
    ///
    /// The word after an option is its value, unless it is the name of another option. So negative
    /// numbers and texts that begin with a dash need no quotes.
    init(_ words: [String], for declarations: [Declaration]) throws(UsageError) {
        let known = declarations + Declaration.helpFlags
        var rest = words[...]
        while let word = rest.popFirst() {
            if word == "--" {
                positionals += rest
                break
            }
            guard word.hasPrefix("-"), word.count > 1 else {
                positionals.append(word)
                continue
            }
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let declaration = known.first(where: { $0.isNamed(parts[0]) }) else {
                throw Self.unknown(String(parts[0]), among: known)
            }
            let inline = parts.count == 2 ? String(parts[1]) : nil
            try assign(inline, from: &rest, to: declaration, known: known)
        }
        let slots = declarations.filter { $0.form == .positional }
        if positionals.count > slots.count, !(slots.last?.isRepeated ?? false) {
            let extra = positionals[slots.count]
            let taken = slots.map(\.name).joined(separator: " ")
            throw UsageError(
                slots.isEmpty
                    ? "unexpected '\(extra)': only options are allowed here"
                    : "unexpected '\(extra)' after \(taken): quote a value that has spaces")
        }
    }

    private mutating func assign(
        _ inline: String?, from rest: inout ArraySlice<String>, to declaration: Declaration,
        known: [Declaration]
    ) throws(UsageError) {
        let name = declaration.name
        if values[name] != nil, !declaration.isRepeated {
            throw UsageError("\(name) is given twice; give it once")
        }
        guard declaration.form == .option else {
            guard inline == nil else { throw UsageError("\(name) takes no value; write it alone") }
            values[name] = []
            return
        }
        if let inline {
            values[name, default: []].append(inline)
            return
        }
        guard let next = rest.first, next != "--", !Self.names(an: known, next) else {
            throw UsageError("\(name) needs a value: \(declaration.title)")
        }
        rest.removeFirst()
        values[name, default: []].append(next)
    }

    private static func names(an known: [Declaration], _ word: String) -> Bool {
        let name = word.prefix { $0 != "=" }
        return known.contains { $0.isNamed(name) }
    }

    private static func unknown(_ word: String, among known: [Declaration]) -> UsageError {
        let names = known.filter { $0.form != .positional }.map(\.name)
        if let near = Spelling.nearest(to: word, among: names) {
            return UsageError("there is no \(word); did you mean \(near)?")
        }
        return UsageError("there is no option \(word)")
    }
}
