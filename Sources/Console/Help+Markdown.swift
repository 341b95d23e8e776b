extension Help {
    /// The word after `help` that asks for the reference of all commands.
    static let markdownFlag = "--markdown"

    /// The reference of all commands as a Markdown document: usage, discussion and every option.
    ///
    /// The text depends on the declarations alone, not on the machine, so that a copy of it can be
    /// stored and compared.
    static func markdown(of set: CommandSet) -> String {
        let introduction = """
            # Options of every command

            \(escaped(set.summary))

            This page is what `\(set.program) help \(markdownFlag)` prints. Do not edit it. Each \
            command also has `\(Declaration.helpFlag.name)`, which shows the options that are used \
            often, and `\(Declaration.helpAllFlag.name)`, which shows all.
            """
        let sections = set.commands.map { section(of: $0, program: set.program) }
        return ([introduction] + sections).joined(separator: "\n\n") + "\n"
    }

    private static func section(of command: any Command.Type, program: String) -> String {
        var blocks = [
            "## \(program) \(command.name)", escaped(command.summary),
            fenced(usage(of: command, program: program)),
        ]
        for paragraph in command.discussion.split(separator: "\n\n").map(String.init) {
            let isExample = paragraph.hasPrefix(examplePrefix)
            blocks.append(isExample ? fenced(example(paragraph)) : escaped(paragraph))
        }
        blocks += groups(of: command.declarations).filter { !$0.members.isEmpty }.map(table)
        return blocks.joined(separator: "\n\n")
    }

    private static func table(title: String, members: [Declaration]) -> String {
        let rows = members.map { member in
            let short = member.short.map { "`-\($0)`, " } ?? ""
            return "| \(short)`\(member.title)` | \(escaped(explanation(member))) |"
        }
        return (["| \(title) | |", "| --- | --- |"] + rows).joined(separator: "\n")
    }

    private static func fenced(_ text: String) -> String { "```\n\(text)\n```" }

    /// A text without line breaks in which no character formats, links or ends a cell.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            if "\\`*_<>[]|".contains(character) { result.append("\\") }
            result.append(character == "\n" ? " " : character)
        }
        return result
    }
}
