/// Plots quality against measured speedup for the family and the baselines.
struct TradeoffFigure {
    let report: PruneReport
    let measure: QualityMeasure

    /// One method's results in order of speed.
    private struct Series {
        let name: String
        let points: [(speedup: Double, quality: Double)]
    }

    private let height = 290.0

    /// The plot with its legend, or nothing where there are not two results to compare.
    var markup: Markup? {
        let series = series
        let all = series.flatMap(\.points)
        guard all.count > 1, let dense = measure.denseValue(in: report) else { return nil }
        let qualities = all.map(\.quality) + [dense]
        let (least, greatest) = (qualities.min() ?? 0, qualities.max() ?? 1)
        let speeds = all.map(\.speedup) + [1]
        let isLogarithmic = measure == .perplexity && least > 0 && greatest / least > 6
        let margin = isLogarithmic ? 1.12 : 1 + 0.06 * (1 - least / max(greatest, 1e-12))
        let x = Axis(
            min(1, speeds.min() ?? 1), (speeds.max() ?? 1) * 1.02, from: PlotFrame.left + 6,
            to: PlotFrame.right - 6)
        let y = Axis(
            isLogarithmic
                ? least / 1.12
                : measure == .top1 || measure == .perplexity
                    ? least - (greatest - least) * 0.08 : 0,
            greatest * margin, isLogarithmic: isLogarithmic, from: height - PlotFrame.bottom,
            to: PlotFrame.top)
        let frame = PlotFrame(
            height: height, x: x, y: y, xTitle: "times faster, measured",
            yTitle: measure.title.lowercased() + (isLogarithmic ? ", logarithmic" : ""))
        let drawn = series.enumerated().reversed().map { index, one -> Markup in
            let line = ([(speedup: 1, quality: dense)] + one.points).map { point -> Markup in
                "\(x.position(point.speedup)),\(y.position(point.quality))"
            }
            let marks = one.points.map {
                marker(index, x: x.position($0.speedup), y: y.position($0.quality))
            }
            return """
                <g class="series s\(index % 6)">
                <polyline points="\(line)"/>
                \(marks)
                </g>
                """
        }
        let picture = PlotFrame.picture(
            title: "\(measure.title) against speedup",
            description: series.map { one in
                "\(one.name): "
                    + one.points.map {
                        "\(measure.text($0.quality)) at \(Figures.ratio($0.speedup))"
                    }.joined(separator: ", ")
            }.joined(separator: "; ") + ".",
            height: height,
            """
            \(frame.markup)
            \(drawn)
            <circle class="dense" cx="\(x.position(1))" cy="\(y.position(dense))" r="4.5"/>
            """)
        return "\(picture)\n\(legend(series))"
    }

    private var series: [Series] {
        let own = Series(
            name: report.method,
            points: report.targets.compactMap { result in
                measure.value(of: result.quality).map { (result.measured, $0) }
            }.sorted { $0.speedup < $1.speedup })
        let methods = report.baselines.map(report.label)
        let unique = methods.indices.filter { methods.firstIndex(of: methods[$0]) == $0 }
        return [own]
            + unique.map { index in
                Series(
                    name: methods[index],
                    points: report.baselines.filter { report.label(of: $0) == methods[index] }
                        .compactMap { result in
                            measure.value(of: result.quality).map { (result.measured, $0) }
                        }.sorted { $0.speedup < $1.speedup })
            }.filter { !$0.points.isEmpty }
    }

    private func legend(_ series: [Series]) -> Markup {
        let entries = series.enumerated().map { index, one -> Markup in
            """
            <li><svg viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">\
            <g class="series s\(index % 6)">\(marker(index, x: 7, y: 7))</g></svg> \(one.name)</li>
            """
        }
        return """
            <ul class="legend">
            \(entries)
            <li><svg viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">\
            <circle class="dense" cx="7" cy="7" r="4.5"/></svg> dense</li>
            </ul>
            """
    }

    /// A mark that differs by shape as well as colour.
    private func marker(_ index: Int, x: Double, y: Double) -> Markup {
        switch index % 5 {
        case 0: "<circle cx=\"\(x)\" cy=\"\(y)\" r=\"4.5\"/>"
        case 1: "<rect x=\"\(x - 3.5)\" y=\"\(y - 3.5)\" width=\"7\" height=\"7\"/>"
        case 2:
            "<polygon points=\"\(x),\(y - 4.5) \(x + 4.5),\(y + 3.5) \(x - 4.5),\(y + 3.5)\"/>"
        case 3:
            "<polygon points=\"\(x),\(y - 5) \(x + 5),\(y) \(x),\(y + 5) \(x - 5),\(y)\"/>"
        default:
            "<polygon points=\"\(x),\(y + 4.5) \(x + 4.5),\(y - 3.5) \(x - 4.5),\(y - 3.5)\"/>"
        }
    }
}
