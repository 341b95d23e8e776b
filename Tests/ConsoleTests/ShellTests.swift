import Foundation
import Testing

@testable import Console

@Suite struct ShellTests {
    @Test("completion scripts contain every command, option and choice", arguments: Shell.allCases)
    func complete(shell: Shell) {
        let script = run("completion", shell.rawValue).output
        for word in [
            "prune", "inspect", "completion", "speedup", "batch", "encode prefill decode", "seed",
            "help-all",
        ] {
            #expect(script.contains(word), "\(shell) lacks \(word)")
        }
    }

    @Test("bash completes the word under the cursor")
    func bash() throws {
        #expect(try offers("espalier", "pr") == ["prune"])
        #expect(try offers("espalier", "prune", "--b") == ["--batch"])
        #expect(try offers("espalier", "prune", "--phase", "") == ["encode", "prefill", "decode"])
        #expect(try offers("espalier", "prune", "--batch", "") == [])
        #expect(try offers("espalier", "completion", "") == ["bash", "zsh", "fish"])
        #expect(try offers("espalier", "help", "i") == ["inspect"])
    }

    @Test("an unknown shell gives a usage error")
    func unknown() {
        #expect(run("completion", "csh").status == .usage)
        #expect(run("completion").errors.contains("bash, zsh, fish"))
    }

    /// Returns the completions of bash for the last word.
    private func offers(_ words: String...) throws -> [String] {
        let line = words.map(Shell.quoted).joined(separator: " ")
        let process = Process()
        process.executableURL = URL(filePath: "/bin/bash")
        process.arguments = [
            "-c",
            run("completion", "bash").output
                + "\nCOMP_WORDS=(\(line)); COMP_CWORD=\(words.count - 1); _espalier"
                + "\nprintf '%s\\n' \"${COMPREPLY[@]}\"",
        ]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
