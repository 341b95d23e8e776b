/// A shell for which completion scripts can be written from the declarations of all commands.
enum Shell: String, CaseIterable {
    case bash
    case zsh
    case fish

    /// Returns the script that makes the shell complete commands, options, choices and paths.
    func script(for set: CommandSet) -> String {
        switch self {
        case .bash: Self.bashScript(for: set)
        case .zsh: Self.zshScript(for: set)
        case .fish: Self.fishScript(for: set)
        }
    }

    /// Commands that every program has.
    static let builtIns = [
        ("help", "Show help."), ("completion", "Print a completion script for a shell."),
    ]

    /// Returns a text as one word of a POSIX shell.
    static func quoted(_ text: String) -> String {
        "'"
            + text.split(separator: "'", omittingEmptySubsequences: false)
            .joined(separator: "'\\''") + "'"
    }

    private static func bashScript(for set: CommandSet) -> String {
        let names = (set.commandNames + builtIns.map(\.0)).joined(separator: " ")
        var cases = """
                help) words=\(quoted(set.commandNames.joined(separator: " "))) ;;
                completion) words=\(quoted(allCases.map(\.rawValue).joined(separator: " "))) ;;

            """
        for command in set.commands {
            let options =
                command.declarations.filter { $0.form != .positional } + Declaration.helpFlags
            let words = options.map(\.name).joined(separator: " ")
            cases += "    \(command.name)) words=\(quoted(words))\n        case $previous in\n"
            for option in options where option.form == .option {
                let pattern = ([option.name] + (option.short.map { ["-\($0)"] } ?? []))
                    .joined(separator: "|")
                let offer: String =
                    switch option.completion {
                    case .choices(let choices): "-W \(quoted(choices.joined(separator: " ")))"
                    case .file: "-f"
                    case .directory: "-d"
                    case .none: "-W ''"
                    }
                cases +=
                    "        \(pattern)) COMPREPLY=($(compgen \(offer) -- \"$current\")); return ;;\n"
            }
            cases += "        esac ;;\n"
        }
        return """
            # Completion of \(set.program) for bash: source this file, or put it where
            # bash-completion finds it.
            _\(set.program)() {
                local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words
                COMPREPLY=()
                if [ "$COMP_CWORD" -eq 1 ]; then
                    COMPREPLY=($(compgen -W \(quoted(names)) -- "$current"))
                    return
                fi
                case ${COMP_WORDS[1]} in
            \(cases)    esac
                case ${COMP_WORDS[1]}:$current in
                help:*|completion:*|*:-*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
                *) COMPREPLY=($(compgen -f -- "$current")) ;;
                esac
            }
            complete -o filenames -F _\(set.program) \(set.program)

            """
    }

    private static func zshScript(for set: CommandSet) -> String {
        let described =
            (set.commands.map { ($0.name, $0.summary) } + builtIns)
            .map { "        \(quoted("\($0.0):\($0.1)"))" }.joined(separator: "\n")
        var cases = ""
        for command in set.commands {
            let specifications = (command.declarations + Declaration.helpFlags)
                .flatMap(zshSpecifications)
            cases += "    \(command.name)) _arguments -s "
            cases += specifications.map(quoted).joined(separator: " \\\n        ") + " ;;\n"
        }
        return """
            #compdef \(set.program)
            # Completion of \(set.program) for zsh: put this file as _\(set.program) in $fpath.
            _\(set.program)() {
                local -a commands=(
            \(described)
                )
                if (( CURRENT == 2 )); then
                    _describe command commands
                    return
                fi
                local command=${words[2]}
                shift words
                (( CURRENT-- ))
                case $command in
                help) _describe command commands ;;
                completion) _values shell \(allCases.map(\.rawValue).joined(separator: " ")) ;;
            \(cases)    esac
            }
            if [[ $funcstack[1] == _\(set.program) ]]; then
                _\(set.program) "$@"
            else
                compdef _\(set.program) \(set.program)
            fi

            """
    }

    /// Returns the `_arguments` specifications of one declaration.
    private static func zshSpecifications(of declaration: Declaration) -> [String] {
        func escaped(_ text: String) -> String {
            text.reduce(into: "") { $0 += "[]:\\".contains($1) ? "\\\($1)" : String($1) }
        }
        let action: String =
            switch declaration.completion {
            case .choices(let choices): "(\(choices.joined(separator: " ")))"
            case .file: "_files"
            case .directory: "_files -/"
            case .none: " "
            }
        guard declaration.form != .positional else {
            return ["\(declaration.isRepeated ? "*" : ""):\(escaped(declaration.name)):\(action)"]
        }
        let names = [declaration.name] + (declaration.short.map { ["-\($0)"] } ?? [])
        let value =
            declaration.form == .flag ? "" : ":\(escaped(declaration.placeholder)):\(action)"
        let exclusion = declaration.isRepeated ? "*" : "(\(names.joined(separator: " ")))"
        return names.map { "\(exclusion)\($0)[\(escaped(declaration.help))]\(value)" }
    }

    private static func fishScript(for set: CommandSet) -> String {
        /// Returns a text as one word of fish, in single quotes with the two escapes that they
        /// support.
        func word(_ text: String) -> String {
            "'" + text.reduce(into: "") { $0 += "'\\".contains($1) ? "\\\($1)" : String($1) } + "'"
        }
        let start = "complete -c \(set.program)"
        var lines = ["# Completion of \(set.program) for fish.", "\(start) -f"]
        for (name, summary) in set.commands.map({ ($0.name, $0.summary) }) + builtIns {
            lines.append("\(start) -n __fish_use_subcommand -a \(name) -d \(word(summary))")
        }
        let seen = "-n '__fish_seen_subcommand_from"
        let shells = allCases.map(\.rawValue).joined(separator: " ")
        lines.append("\(start) \(seen) completion' -a \(word(shells))")
        lines.append(
            "\(start) \(seen) help' -a \(word(set.commandNames.joined(separator: " ")))")
        for command in set.commands {
            for declaration in command.declarations + Declaration.helpFlags {
                let offer: String =
                    switch declaration.completion {
                    case .choices(let choices): "-x -a \(word(choices.joined(separator: " ")))"
                    case .file: "-r -F"
                    case .directory: "-x -a '(__fish_complete_directories)'"
                    case .none: declaration.form == .option ? "-x" : ""
                    }
                var line = "\(start) \(seen) \(command.name)'"
                if declaration.form != .positional {
                    line += " -l \(declaration.name.drop { $0 == "-" })"
                    if let short = declaration.short { line += " -s \(short)" }
                    line += " -d \(word(declaration.help)) \(offer)"
                } else if declaration.completion != .none {
                    line += " -F"
                } else {
                    continue
                }
                lines.append(line)
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
