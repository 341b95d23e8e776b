import Testing

@testable import Console

@Suite struct TerminalPlotTests {
    @Test("a rising line is drawn from the lower left to the upper right")
    func rising() {
        let plot = TerminalPlot(
            (0...10).map { (x: Double($0), y: Double($0)) }, xLabel: "neurons", yLabel: "ms")
        let lines = plot.rendered(width: 40, height: 5).split(separator: "\n").map(String.init)
        #expect(lines.count == 8)
        #expect(lines[0] == "ms")
        #expect(lines[1].hasPrefix("10.0 ┤") && lines[1].hasSuffix("⠊") || lines[1].hasSuffix("⠉"))
        #expect(lines[5].hasPrefix("   0 ┤"))
        #expect(lines[5].dropFirst(6).first != " ")
        #expect(lines[7].contains("neurons") && lines[7].hasSuffix("10.00"))
        for line in lines { #expect(line.count <= 40) }
    }

    @Test("unusual data are drawn without a trap")
    func odd() {
        let cases: [[(x: Double, y: Double)]] = [
            [], [(1, 1)], [(1, 0), (1, 0)], [(0, -5), (1, -5)], [(.nan, 1), (2, .infinity)],
            [(0, 1e300), (1e300, 1)],
        ]
        for points in cases {
            let text = TerminalPlot(points, xLabel: "x", yLabel: "").rendered(width: 5, height: 1)
            #expect(!text.isEmpty)
        }
    }

    @Test("each dot sets the right bit of its Unicode braille character")
    func canvas() {
        var canvas = BrailleCanvas(columns: 2, lines: 1)
        canvas.set(0, 0)
        canvas.set(3, 3)
        #expect(canvas.rows == ["⠁⢀"])
        canvas.line((0, 0), (3, 3))
        #expect(canvas.rows == ["⠑⢄"])
    }
}
