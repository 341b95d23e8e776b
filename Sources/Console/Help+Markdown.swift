extension Help {
    /// The word after `help` that requests the reference of all commands.
    static let markdownFlag = "--markdown"

    /// Returns the reference of all commands as Markdown: usage, discussion and every option.
    ///
    /// The text depends only on the declarations, not on the machine. So a stored copy can be
    /// compared with it.
    static func markdown(of set: CommandSet) -> String {
        let introduction = """
            # Options of every command

            \(escaped(set.summary))

            This page is the output of `\(set.program) help \(markdownFlag)`. Do not edit it. Each \
            command also has `\(Declaration.helpFlag.name)`, which shows the options that are used \
            often, and `\(Declaration.helpAllFlag.name)`, which shows all options.
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

    /// Returns a text without line breaks, with escapes for characters that have a meaning in
    /// Markdown.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            if "\\`*_<>[]|".contains(character) { result.append("\\") }
            result.append(character == "\n" ? " " : character)
        }
        return result
    }
}
