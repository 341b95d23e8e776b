import Foundation
import Testing

@testable import Console

@Suite struct CommandSetTests {
    @Test("the exit status distinguishes success, failure, wrong usage and interruption")
    func statuses() {
        #expect(run("prune", "m", "--speedup", "2", "-o", "o").status == .done)
        let failed = run("prune", "missing", "--speedup", "2", "-o", "o")
        #expect(failed.status == .failed)
        #expect(failed.errors == "espalier prune: missing/config.json does not exist\n")
        let infinite = run("prune", "infinite", "--speedup", "2", "-o", "o")
        #expect(infinite.status == .failed)
        #expect(infinite.errors.contains("prune: targets[1]: nan cannot be written as JSON"))
        let usage = run("prune", "--bacth")
        #expect(usage.status == .usage)
        #expect(
            usage.errors == """
                espalier prune: there is no --bacth; did you mean --batch?
                Try 'espalier prune --help'.

                """)
        #expect(run("prune", "stopped", "--speedup", "2", "-o", "o").status == .interrupted)
        #expect(ExitStatus.done.rawValue == 0)
        #expect(ExitStatus.failed.rawValue == 1)
        #expect(ExitStatus.usage.rawValue == 2)
    }

    @Test("help and version are printed to standard output")
    func answers() {
        #expect(run("--version").output == "espalier 1.2.3\n")
        for words in [["--help"], ["-h"], ["help"]] {
            var output = ""
            let status = sampleSet.run(
                words, output: { output += $0 }, errors: { _ in Issue.record("wrote an error") })
            #expect(status == .done)
            #expect(output.contains("  prune    Prune a model to a speedup"))
        }
        let page = run("help", "prune").output
        #expect(page == run("prune", "--help").output)
        #expect(page == run("prune", "--bacth", "3", "-h").output)
        let none = run()
        #expect(none.status == .usage)
        #expect(none.output.isEmpty && none.errors.contains("Commands:"))
    }

    @Test("the option reference has every option and escapes Markdown")
    func reference() {
        let page = run("help", "--markdown").output
        #expect(page.contains("## espalier prune\n\nPrune a model to a speedup"))
        #expect(page.contains("```\nUsage: espalier prune MODEL [NAME]"))
        #expect(page.contains("| `--batch N` | Sequences per call (1 to 1024; default: 1). |"))
        #expect(page.contains("| Required | |\n| --- | --- |\n| `--speedup X` | "))
        #expect(page.contains("| `-o`, `--output OUT` | Where the results go. |"))
        #expect(page.contains("| `--seed SEED` | "))
        #expect(run("help", "--markdown", "prune").status == .usage)
    }

    @Test("the error for an unknown command suggests the most similar command")
    func unknown() {
        #expect(
            run("purne").errors.hasPrefix(
                "espalier: there is no command 'purne'; did you mean 'prune'?\n"))
        #expect(run("help", "inspct").errors.contains("did you mean 'inspect'?"))
        #expect(run("zzz").errors.contains("there is no command 'zzz', only prune, inspect"))
        #expect(run("zzz").status == .usage)
    }

    @Test("help shows every argument with its limits and default in 80 columns")
    func helpPage() {
        let page = run("prune", "--help").output
        for line in page.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
        let words = page.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        for text in [
            "Usage: espalier prune MODEL [NAME] --speedup X… --output OUT [options]",
            "--batch N", "call (1 to 1024; default: 1).",
            "encode, prefill, decode; default: decode",
            "-o, --output OUT", "-h, --help", "(above 1; may be repeated).",
        ] {
            #expect(words.contains(text), "\(text) is missing from\n\(page)")
        }
    }

    @Test("help lists options by group, and rare options only with --help-all")
    func groups() throws {
        let page = run("prune", "--help").output
        let headings = page.split(separator: "\n").filter { $0.hasSuffix(":") }
        #expect(headings == ["Arguments:", "Required:", "Options:", "Sampling:"])
        let parts = page.components(separatedBy: "Sampling:\n")
        #expect(parts[1].contains("--temperature") && !parts[1].contains("--batch"))
        // Options that are declared after a group belong to the options of all commands.
        #expect(parts[0].contains("--prompt") && parts[0].contains("--json"))
        #expect(!page.contains("--seed"))
        #expect(page.contains("Show 1 more option, rarely needed."))
        let all = run("prune", "--help-all").output
        #expect(all.contains("--seed SEED") && !all.contains("more option"))
        #expect(run("help", "prune", "--help-all").output == all)
        // For a command without rare options, both pages are the same.
        let plain = run("inspect", "--help").output
        #expect(run("inspect", "--help-all").output == plain && !plain.contains("--help-all"))
        #expect(run("prune", "m", "--speedup", "2", "-o", "o", "--seed", "3").status == .done)
    }

    @Test("an example is wrapped before an option and can be pasted into a shell")
    func examples() {
        #expect(
            run("prune", "--help").output.contains(
                """

                Example: espalier prune model.gguf --speedup 1.25 --speedup 1.5 --batch 8 \\
                    --phase prefill --prompt 'Once upon a time' -o out

                """))
    }
}
