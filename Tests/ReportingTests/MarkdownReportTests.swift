import Testing

@testable import Reporting

@Suite struct MarkdownReportTests {
    /// Returns the number of cells in a line of a table: the number of unescaped bars, minus one.
    private func cells(_ line: Substring) -> Int {
        var count = 0
        var isEscaped = false
        for character in line {
            if character == "|", !isEscaped { count += 1 }
            isEscaped = character == "\\" && !isEscaped
        }
        return count - 1
    }

    @Test("all rows of a table have the same number of cells")
    func tables() {
        let reports =
            [Samples.decoder, Samples.encoder, Samples.hostile] + Samples.extremes.map(\.report)
        for report in reports {
            var isCode = false
            var width: Int?
            for line in report.markdown.split(separator: "\n", omittingEmptySubsequences: false) {
                if line.hasPrefix("```") { isCode.toggle() }
                guard !isCode, line.hasPrefix("|") else {
                    width = nil
                    continue
                }
                if let width { #expect(cells(line) == width, "\(line)") }
                width = cells(line)
            }
        }
    }

    @Test("special characters in a text do not close the cell, line or code block that has it")
    func hostile() {
        #expect(
            MarkdownReport.escaped("a|b\n# <b> `c` \\") == "a\\|b \\# &lt;b> \\`c\\` \\\\")
        #expect(MarkdownReport.code("x ``` y", "sh") == "````sh\nx ``` y\n````")
        #expect(!Samples.hostile.markdown.contains("\n# é🌳 ]]>,"))
    }
}
