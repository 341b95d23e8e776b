import Testing

@testable import Console

@Suite("Text that is safe to show")
struct TerminalTextTests {
    @Test(
        "control characters are escaped, and other characters do not change",
        arguments: [
            ("a\u{1B}[2Jb", "a\\u{1B}[2Jb"), ("\u{7F}\u{9B}\u{0}", "\\u{7F}\\u{9B}\\u{0}"),
            ("a\r\n\tb", "a\\r\\n\\tb"), ("gpj\u{202E}exe", "gpj\\u{202E}exe"),
            ("\u{2066}\u{2028}\u{FEFF}\u{200B}", "\\u{2066}\\u{2028}\\u{FEFF}\\u{200B}"),
            ("é 中 👩‍👩‍👧 \"\\\" نمی‌خواهم", "é 中 👩‍👩‍👧 \"\\\" نمی‌خواهم"),
        ])
    func escapes(text: String, shown: String) {
        #expect(TerminalText.printable(text) == shown)
    }

    @Test("line ends may be kept, and long texts end with an ellipsis")
    func lines() {
        #expect(TerminalText.printable("a\r\nb\n", keepingLines: true) == "a\\r\nb\n")
        #expect(TerminalText.printable("abcdef", limit: 3) == "abc…")
        #expect(TerminalText.printable("abc", limit: 3) == "abc")
    }

    @Test("tables and errors show no control characters")
    func shown() {
        var table = Table("name")
        table.add("a\u{1B}[31m\nb")
        #expect(table.rendered().hasSuffix("a\\u{1B}[31m\\nb\n"))
        struct Fault: Error, CustomStringConvertible {
            var description: String { "x\u{1B}]0;\n" + String(repeating: "y", count: 100_000) }
        }
        struct Failing: Command {
            static let name = "fail"
            static let summary = "Fail."
            init(_ arguments: inout Arguments) {}
            func run() throws { throw Fault() }
        }
        let program = CommandSet(
            program: "p", version: "1", summary: "S.", commands: [Failing.self])
        var errors = ""
        #expect(program.run(["fail"], output: { _ in }, errors: { errors += $0 }) == .failed)
        #expect(errors.hasPrefix("p fail: x\\u{1B}]0;\\nyyy") && errors.hasSuffix("y…\n"))
        #expect(errors.count < 3000)
        errors = ""
        #expect(program.run(["\u{1B}c"], output: { _ in }, errors: { errors += $0 }) == .usage)
        #expect(errors.contains("'\\u{1B}c'") && !errors.contains("\u{1B}"))
    }
}
