/// Plots how the predicted loss grows as the search removes more units.
struct SearchFigure {
    let steps: [SearchStep]
    let targets: [TargetResult]

    private let height = 240.0

    /// The plot; nil if fewer than two steps have a loss.
    var markup: Markup? {
        let points = steps.filter { $0.speedup.isFinite && $0.loss > 0 }
        guard points.count > 1, let first = points.first, let last = points.last else { return nil }
        let x = Axis(
            1, last.speedup, always: [1], from: PlotFrame.left + 6, to: PlotFrame.right - 6)
        let labels = labels(on: x, upTo: last.speedup)
        let rows = Double((labels.map(\.row).max() ?? -1) + 1)
        let height = height + 12 * rows
        let top = PlotFrame.top + 12 * rows
        let y = Axis(
            first.loss, points.map(\.loss).max() ?? 1, isLogarithmic: true,
            from: height - PlotFrame.bottom, to: top)
        let frame = PlotFrame(
            height: height, x: x, y: y, xTitle: "times faster, predicted",
            yTitle: "Predicted loss, logarithmic")
        let line = points.map { "\(x.position($0.speedup)),\(y.position($0.loss))" as Markup }
        let marks = labels.map { label -> Markup in
            let base = PlotFrame.top + 12 * Double(label.row)
            let isLast = label.at > PlotFrame.width - 38
            return """
                <line class="axis" x1="\(label.at)" x2="\(label.at)" y1="\(base - 8)" \
                y2="\(height - PlotFrame.bottom)" stroke-dasharray="3 3"/>
                <text class="tick" x="\(label.at + (isLast ? -3 : 3))" y="\(base)" \
                text-anchor="\(isLast ? "end" : "start")">\(label.text)</text>
                """
        }
        return PlotFrame.picture(
            title: "Predicted loss against speedup",
            description: "\(steps.count) steps, from \(Figures.ratio(first.speedup)) to "
                + "\(Figures.ratio(last.speedup)); dashed lines are the chosen plans.",
            height: height,
            """
            \(frame.markup)
            \(marks)
            <g class="series s0"><polyline points="\(line)"/></g>
            """)
    }

    /// The names of the targets, at the lines of their plans, under the title of the axis.
    ///
    /// Each name is in a row below the names that are close on its left, so that it does not cross
    /// their lines.
    private func labels(
        on x: Axis, upTo most: Double
    ) -> [(text: String, at: Double, row: Int)] {
        var labels: [(text: String, at: Double, row: Int)] = []
        for result in targets.sorted(by: { $0.predicted < $1.predicted }) {
            let at = x.position(max(1, min(result.predicted, most)))
            let row = (labels.filter { at - $0.at < 38 }.map(\.row).max() ?? -1) + 1
            labels.append((Figures.target(result.target), at, row))
        }
        return labels
    }
}
