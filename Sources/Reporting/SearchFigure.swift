/// Plots how the predicted loss grows with the predicted speedup of a search.
struct SearchFigure {
    let steps: [SearchStep]
    /// The searches that change only units or only formats, drawn for comparison.
    var levers: [LeverSteps] = []
    let targets: [TargetResult]

    private let height = 240.0

    /// The plot; nil if fewer than two steps have a loss.
    var markup: Markup? {
        let points = Self.drawn(steps)
        guard points.count > 1, let first = points.first, let last = points.last else { return nil }
        let lines = [points] + levers.map { Self.drawn($0.steps) }.filter { $0.count > 1 }
        let all = lines.flatMap(\.self)
        let x = Axis(
            1, last.speedup, always: [1], from: PlotFrame.left + 6, to: PlotFrame.right - 6)
        let labels = labels(on: x, upTo: last.speedup)
        let rows = Double((labels.map(\.row).max() ?? -1) + 1)
        let height = height + 12 * rows
        let top = PlotFrame.top + 12 * rows
        let y = Axis(
            all.map(\.loss).min() ?? 1, all.map(\.loss).max() ?? 1, isLogarithmic: true,
            from: height - PlotFrame.bottom, to: top)
        let frame = PlotFrame(
            height: height, x: x, y: y, xTitle: "times faster, predicted",
            yTitle: "Predicted loss, logarithmic")
        let drawn = lines.enumerated().reversed().map { index, points -> Markup in
            let line = points.map { "\(x.position($0.speedup)),\(y.position($0.loss))" as Markup }
            return "<g class=\"series s\(index)\"><polyline points=\"\(line)\"/></g>"
        }
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
        let picture = PlotFrame.picture(
            title: "Predicted loss against speedup",
            description: "\(steps.count) steps, from \(Figures.ratio(first.speedup)) to "
                + "\(Figures.ratio(last.speedup)); dashed lines are the chosen plans.",
            height: height,
            """
            \(frame.markup)
            \(marks)
            \(drawn)
            """)
        return levers.isEmpty ? picture : "\(picture)\n\(legend)"
    }

    /// The steps that can be drawn on a logarithmic axis.
    private static func drawn(_ steps: [SearchStep]) -> [SearchStep] {
        steps.filter { $0.speedup.isFinite && $0.loss > 0 }
    }

    private var legend: Markup {
        let entries = (["units and formats"] + levers.map(\.name)).enumerated().map {
            index, name -> Markup in
            """
            <li><svg viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">\
            <g class="series s\(index)"><polyline points="1,7 13,7"/></g></svg> \(name)</li>
            """
        }
        return "<ul class=\"legend\">\n\(entries)\n</ul>"
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
