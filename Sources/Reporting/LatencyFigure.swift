/// Plots one latency curve with its spread and its dominated levels.
///
/// A dashed line shows the time if it were proportional to arithmetic.
struct LatencyFigure {
    let curve: ComponentLatency
    /// The name of the units that the levels count.
    let units: String

    private let height = 250.0

    var markup: Markup {
        let maximum = curve.points.map { max($0.high, $0.seconds) }.max() ?? 0
        let (scale, unit) = Figures.unit(for: maximum)
        let most = Double(curve.points.last?.level ?? 1)
        let x = Axis(
            0, most, always: [most], isWhole: true, from: PlotFrame.left, to: PlotFrame.right)
        let y = Axis(
            0, maximum * scale * 1.02, from: height - PlotFrame.bottom, to: PlotFrame.top)
        let frame = PlotFrame(
            height: height, x: x, y: y, xTitle: "\(units) kept", yTitle: unit)
        func point(_ level: Int, _ seconds: Double) -> Markup {
            "\(x.position(Double(level))),\(y.position(seconds * scale))"
        }
        let middle = curve.points.map { point($0.level, $0.seconds) }
        let band =
            curve.points.map { point($0.level, $0.high) }
            + curve.points.reversed().map { point($0.level, $0.low) }
        let dots = curve.points.map { each -> Markup in
            """
            <circle class="\(each.dominated ? "dominated" : "dot")" \
            cx="\(x.position(Double(each.level)))" cy="\(y.position(each.seconds * scale))" \
            r="\(each.dominated ? 2.8 : 2.2)"/>
            """
        }
        let full = Double(curve.points.last?.level ?? 0)
        let arithmetic = y.position(curve.secondsPerUnitOfArithmetic * full * scale)
        return PlotFrame.picture(
            title: "Latency of \(curve.title.lowercased())", description: description,
            height: height,
            """
            \(frame.markup)
            <polygon class="band" points="\(band)"/>
            <line class="flops" x1="\(x.position(0))" y1="\(y.position(0))" \
            x2="\(x.position(full))" y2="\(arithmetic)"/>
            <polyline class="line" points="\(middle)"/>
            \(dots)
            """)
    }

    private var description: String {
        guard let full = curve.points.last else { return "Nothing was measured." }
        let dominated = curve.points.count(where: \.dominated)
        return "\(curve.points.count) levels up to \(Figures.count(full.level)) \(units), "
            + "which take \(Figures.time(full.seconds)); "
            + (dominated == 1 ? "1 level is" : "\(dominated) levels are")
            + " no faster than a larger level."
    }
}
