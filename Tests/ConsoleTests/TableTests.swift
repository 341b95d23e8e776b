import Testing

@testable import Console

@Suite struct TableTests {
    @Test("numbers are aligned right and texts left")
    func alignment() {
        var table = Table("level", "median", "note")
        table.add("9", "3.2 ms", "dense")
        table.add("10", "–")
        #expect(
            table.rendered() == """
                level  median  note
                ─────  ──────  ─────
                    9  3.2 ms  dense
                   10       –

                """)
    }

    @Test("wide cells are shortened to fit the width", arguments: [20, 40, 80])
    func width(limit: Int) {
        var table = Table("name", "size", "path")
        table.add(
            String(repeating: "model-", count: 20), "135 M",
            "漢字" + String(repeating: "p/", count: 40))
        let lines = table.rendered(width: limit).split(separator: "\n").map(String.init)
        for line in lines { #expect(TextLayout.width(of: line) <= limit) }
        #expect(lines.last?.contains("…") == true)
    }

    @Test("a table without columns or rows is rendered")
    func empty() {
        #expect(Table().rendered().isEmpty)
        #expect(Table("a").rendered() == "a\n─\n")
    }
}
