import Foundation
import Testing

@Suite("Help and usage")
struct HelpTests {
    @Test("every command has a help page of at most 80 columns", arguments: HelpTests.commands)
    func pages(command: String) throws {
        for words in [[command, "--help"], ["help", command], [command, "--help-all"]] {
            let help = try Program.run(words)
            #expect(help.status == 0 && help.errors.isEmpty)
            #expect(help.output.contains("Usage: espalier \(command)"))
            #expect(help.output.contains("Example: espalier \(command)"))
            for line in help.output.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
        }
        // The short help page fits on two screens.
        let lines = try Program.run(command, "--help").output.split(
            separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count <= 80, "\(lines.count)")
    }

    @Test("prune's help has groups, --help-all adds rare options, and completions have all options")
    func groups() throws {
        let (page, all) = (
            try Program.run("prune", "--help").output, try Program.run("prune", "--help-all").output
        )
        for heading in ["Required:", "Options:", "Measuring:", "Search:", "Training:"] {
            #expect(page.contains("\n\(heading)\n") && all.contains("\n\(heading)\n"))
        }
        #expect(page.contains(" more options, rarely needed."))
        for rare in ["--damping", "--trials", "--training-batch", "--runtime"] {
            #expect(!page.contains(rare) && all.contains(rare), "\(rare)")
            for shell in ["bash", "zsh", "fish"] {
                let script = try Program.run("completion", shell).output
                #expect(script.contains(rare.dropFirst(2)), "\(rare) in \(shell)")
            }
        }
    }

    @Test("the option reference equals the output of the program")
    func reference() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appendingPathComponent("Sources/espalier/espalier.docc/Options.md")
        let printed = try Program.run("help", "--markdown")
        #expect(printed.status == 0)
        #expect(
            try String(contentsOf: file, encoding: .utf8) == printed.output,
            "run scripts/make-option-reference")
    }

    @Test("the overview names every command")
    func overview() throws {
        let help = try Program.run("--help")
        for command in Self.commands { #expect(help.output.contains("\n  \(command) ")) }
        #expect(try Program.run("--version").output == "espalier 0.1.0\n")
        #expect(try Program.run([]).status == 2)
    }

    @Test("a wrong command line gives status 2 and an error with a remedy")
    func usage() throws {
        let mistakes: [([String], String)] = [
            (["prophile", Fixture.llama], "did you mean 'profile'?"),
            (["bench", Fixture.llama, "--thread", "2"], "--threads"),
            (["bench", Fixture.llama, "--threads", "0"], "1 to 1024"),
            (["bench", Fixture.llama, "--threads", "1025"], "1 to 1024"),
            (["bench", Fixture.llama, "--phase", "decoed"], "did you mean 'decode'?"),
            (["profile", Fixture.llama, "--batch", "1e3"], "--batch"),
            (["profile", Fixture.llama, "--sequence", "-1"], "--sequence"),
            (["profile"], "MODEL"), (["generate", Fixture.llama], "--prompt"),
            (["bench", Fixture.llama, "--against-precision", "int8"], "--against MODEL"),
        ]
        for (words, remedy) in mistakes {
            let run = try Program.run(words)
            #expect(run.status == 2 && run.output.isEmpty, "\(words)")
            #expect(run.errors.contains(remedy), "\(run.errors)")
        }
    }

    @Test("combinations of options that have no effect give an error")
    func combinations() throws {
        let sparsify = ["sparsify", Fixture.llama, "--text", "a.txt", "-o", "out"]
        let ranks = ["--rank", "8", "--rank", "16"]
        let mistakes: [([String], String)] = [
            (["evaluate", Fixture.llama], "--task"),
            (["evaluate", Fixture.llama, "--task", "a.jsonl", "--samples", "1"], "--text"),
            (["evaluate", Fixture.llama, "--task", "a.jsonl", "--dump", "a.json"], "--text"),
            (sparsify + ["--density", "0.5", "--prune", "run"], "--prune"),
            (sparsify + ["--density", "0.5", "--rank", "8"], "--predictor"),
            (sparsify + ["--density", "0.5", "--predictor", "ahead"] + ranks, "one --rank"),
        ]
        for (words, remedy) in mistakes {
            let run = try Program.run(words)
            #expect(run.status == 2 && run.output.isEmpty, "\(words)")
            #expect(run.errors.contains(remedy), "\(run.errors)")
        }
    }

    static let commands = [
        "profile", "prune", "evaluate", "bench", "generate", "finetune", "distill", "layerdrop",
        "sparsity", "sparsify", "export", "report", "compare", "inspect",
    ]
}
