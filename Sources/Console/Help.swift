/// Writes help pages from declarations, at most 80 columns wide.
enum Help {
    /// The beginning of a paragraph that is a command line to paste.
    static let examplePrefix = "Example: "

    /// Returns the help page of one command.
    ///
    /// It lists the options by group. Rarely used options are listed only if `showsAll` is true.
    static func page(
        of command: any Command.Type, program: String, showsAll: Bool = false
    ) -> String {
        let declarations = command.declarations
        let shown = declarations.filter { showsAll || !$0.isRare }
        let hidden = declarations.count - shown.count
        var sections = [paragraph(command.summary), usage(of: command, program: program)]
        let paragraphs = command.discussion.split(separator: "\n\n")
        sections += paragraphs.map { paragraph(String($0)) }
        var groups = groups(of: shown)
        let usual = groups.firstIndex { $0.title == Declaration.usualGroup } ?? groups.startIndex
        groups[usual].members.append(.helpFlag)
        if hidden > 0 { groups[usual].members.append(.helpAllFlag(showing: hidden)) }
        let width = columnWidth(groups.flatMap(\.members))
        sections += groups.filter { !$0.members.isEmpty }.map { list($0.title, $0.members, width) }
        return sections.joined(separator: "\n\n") + "\n"
    }

    /// Returns declarations by heading: arguments, required options, then every group of options.
    static func groups(
        of declarations: [Declaration]
    ) -> [(title: String, members: [Declaration])] {
        var groups: [(title: String, members: [Declaration])] = [
            ("Arguments", declarations.filter { $0.form == .positional }),
            ("Required", declarations.filter { $0.form != .positional && $0.isRequired }),
            (Declaration.usualGroup, []),
        ]
        for option in declarations where option.form != .positional && !option.isRequired {
            if let place = groups.firstIndex(where: { $0.title == option.group }) {
                groups[place].members.append(option)
            } else {
                groups.append((option.group, [option]))
            }
        }
        return groups
    }

    /// Returns the help page of the program, with a list of its commands.
    static func overview(of set: CommandSet) -> String {
        let width = (set.commandNames.map(\.count).max() ?? 0) + 2
        let rows = set.commands.map { entry($0.name, $0.summary, width) }
        return """
            \(paragraph(set.summary))

            Usage: \(set.program) COMMAND [arguments]

            Commands:
            \(rows.joined(separator: "\n"))

            '\(set.program) help COMMAND' explains one command;
            '\(set.program) completion bash|zsh|fish' prints a completion script for a shell;
            '\(set.program) --version' prints the version.

            """
    }

    /// Returns the usage line, such as `Usage: espalier prune MODEL --speedup X… [options]`.
    ///
    /// Further lines are indented by the width of `Usage: espalier prune `.
    static func usage(of command: any Command.Type, program: String) -> String {
        let start = "Usage: \(program) \(command.name) "
        let words = command.declarations.compactMap { declaration -> String? in
            let title = declaration.title + (declaration.isRepeated ? "…" : "")
            switch declaration.form {
            case .positional: return declaration.isRequired ? title : "[\(title)]"
            case .option where declaration.isRequired: return title
            default: return nil
            }
        }
        let text = (words + ["[options]"]).joined(separator: " ")
        return start
            + TextLayout.wrapped(text, to: TextLayout.pageWidth - start.count)
            .joined(separator: "\n" + String(repeating: " ", count: start.count))
    }

    private static func paragraph(_ text: String) -> String {
        text.hasPrefix(examplePrefix)
            ? example(text)
            : TextLayout.wrapped(text, to: TextLayout.pageWidth).joined(separator: "\n")
    }

    /// Returns a command line that can be pasted into a shell.
    ///
    /// Lines break before an option, never between an option and its value.
    static func example(_ text: String) -> String {
        let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
        var lines: [String] = []
        for (index, word) in words.enumerated() {
            // An option and its values stay on one line.
            let next = words[(index + 1)...].prefix { !$0.hasPrefix("-") }
            let unit = ([word] + (word.hasPrefix("-") ? Array(next) : [])).joined(separator: " ")
            let width = TextLayout.pageWidth - 2
            if let line = lines.last,
                !word.hasPrefix("-") || line.count + 1 + unit.count <= width
            {
                lines[lines.count - 1] = line + " " + word
            } else {
                lines.append((lines.isEmpty ? "" : "    ") + word)
            }
        }
        return lines.joined(separator: " \\\n")
    }

    /// Returns the names and the placeholder of an argument, such as `-o, --output FILE`.
    ///
    /// Options without a short name are indented by the width of `-o, `.
    private static func heading(_ declaration: Declaration) -> String {
        guard declaration.form != .positional else { return declaration.title }
        return (declaration.short.map { "-\($0), " } ?? "    ") + declaration.title
    }

    private static func columnWidth(_ declarations: [Declaration]) -> Int {
        min(28, (declarations.map { heading($0).count }.max() ?? 0) + 2)
    }

    private static func list(
        _ title: String, _ declarations: [Declaration], _ width: Int
    ) -> String {
        let rows = declarations.map { entry(heading($0), explanation($0), width) }
        return (["\(title):"] + rows).joined(separator: "\n")
    }

    /// Returns the help text with remarks: the limits and the default of the value, and whether the
    /// option may be repeated.
    static func explanation(_ declaration: Declaration) -> String {
        var remarks: [String] = []
        if !declaration.constraint.isEmpty { remarks.append(declaration.constraint) }
        if let text = declaration.defaultText { remarks.append("default: \(text)") }
        if declaration.isRepeated { remarks.append("may be repeated") }
        guard !remarks.isEmpty else { return declaration.help }
        let help =
            declaration.help.hasSuffix(".") ? declaration.help.dropLast() : declaration.help[...]
        return "\(help) (\(remarks.joined(separator: "; ")))."
    }

    /// Returns the lines of one argument: its heading, and its text in a column on the right.
    ///
    /// If the heading is too wide for its column, the text begins on the next line.
    private static func entry(_ heading: String, _ text: String, _ width: Int) -> String {
        let lines = TextLayout.wrapped(text, to: TextLayout.pageWidth - 2 - width)
        let indent = String(repeating: " ", count: 2 + width)
        let first = "  " + TextLayout.padded(heading, to: width)
        guard heading.count <= width - 2 else {
            return ([("  " + heading)] + lines.map { indent + $0 }).joined(separator: "\n")
        }
        return first + lines.joined(separator: "\n" + indent)
    }
}
