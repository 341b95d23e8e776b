import Foundation
import Testing

@testable import Reporting

/// Returns the texts of a figure with their positions.
private func texts(in markup: Markup) -> [(text: String, x: Double, y: Double)] {
    markup.text.matches(
        of: /<text class="[^"]*" x="([-0-9.]+)" y="([-0-9.]+)"[^>]*>([^<]*)<\/text>/
    ).map { (String($0.3), Double($0.1) ?? 0, Double($0.2) ?? 0) }
}

@Suite struct FigureTests {
    @Test("the figure of a speedup shows the dense model at 1", arguments: [1.25, 2, 8.24])
    func speed(target: Double) {
        var result = Samples.decoder.targets[0]
        (result.target, result.measured, result.predicted) = (target, target * 1.02, target)
        result.interval = [target * 1.01, target * 1.03]
        let shown = texts(in: SpeedFigure(result: result).markup)
        #expect(shown.contains { ["1×", "1.0×", "1.00×"].contains($0.text) && $0.x == 20 })
    }

    @Test("in the figure of the search, names of targets do not overlap each other or the title")
    func search() throws {
        var report = Samples.decoder
        for (index, predicted) in [1.01, 1.05, 1.08].enumerated() {
            report.targets[index].predicted = predicted
        }
        let steps = (0..<40).map {
            SearchStep(speedup: 1 + 0.5 * Double($0), loss: 1e-3 * Double($0 * $0))
        }
        let markup = try #require(SearchFigure(steps: steps, targets: report.targets).markup)
        let shown = texts(in: markup)
        #expect(shown.contains { $0.text == "1" })
        let title = try #require(shown.first { $0.text.hasPrefix("Predicted loss") })
        let names = shown.filter { $0.text.hasSuffix("×") }
        #expect(names.count == 3)
        for (index, name) in names.enumerated() {
            #expect(name.y >= title.y + 12)
            for other in names[..<index] {
                #expect(abs(name.x - other.x) >= 38 || abs(name.y - other.y) >= 12)
            }
        }
    }

    @Test("the dense size has a tick inside the figure")
    func latency() throws {
        let curve = Samples.decoder.latencyCurves[1]
        let shown = texts(in: LatencyFigure(curve: curve, units: "neurons").markup)
        let full = try #require(shown.first { $0.text == "1536" })
        #expect(full.x + 13 <= PlotFrame.width)
    }

    @Test("names of models in a comparison do not overlap")
    func labels() throws {
        let figure = TradeoffFigure(
            measure: .perplexity,
            series: (0..<4).map { run in
                TradeoffFigure.Series(
                    name: "\(run)", dense: .init(x: 20, quality: 10),
                    points: (1...4).map {
                        .init(
                            x: 20 - 2 * Double($0) - 0.1 * Double(run),
                            quality: 10 + Double($0) + 0.1 * Double(run), label: "1.\($0)5×")
                    })
            }, xTitle: "ms", ticks: [], describe: { "\($0) ms" })
        let names = texts(in: try #require(figure.markup)).filter { $0.text.hasSuffix("5×") }
        #expect(names.count >= 4)
        for (index, name) in names.enumerated() {
            for other in names[..<index] {
                #expect(abs(name.x - other.x) >= 30 || abs(name.y - other.y) >= 10)
            }
        }
    }
}
