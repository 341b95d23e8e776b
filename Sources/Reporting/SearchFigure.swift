/// Plots how the damage foretold grows as a search removes one component's units after another's.
struct SearchFigure {
    let steps: [SearchStep]
    let targets: [TargetResult]

    private let height = 240.0

    /// The plot, or nothing where there are not two steps that do damage.
    var markup: Markup? {
        let points = steps.filter { $0.speedup.isFinite && $0.damage > 0 }
        guard points.count > 1, let first = points.first, let last = points.last else { return nil }
        let x = Axis(
            1, last.speedup, from: PlotFrame.left + 6, to: PlotFrame.right - 6)
        let y = Axis(
            first.damage, points.map(\.damage).max() ?? 1, isLogarithmic: true,
            from: height - PlotFrame.bottom, to: PlotFrame.top)
        let frame = PlotFrame(
            height: height, x: x, y: y, xTitle: "times faster, predicted",
            yTitle: "damage foretold, logarithmic")
        let line = points.map { "\(x.position($0.speedup)),\(y.position($0.damage))" as Markup }
        let marks = targets.map { result -> Markup in
            let at = x.position(min(result.predicted, last.speedup))
            return """
                <line class="axis" x1="\(at)" x2="\(at)" y1="\(PlotFrame.top)" \
                y2="\(height - PlotFrame.bottom)" stroke-dasharray="3 3"/>
                <text class="tick" x="\(at)" y="\(PlotFrame.top - 4)" \
                text-anchor="middle">\(Figures.target(result.target))</text>
                """
        }
        return PlotFrame.picture(
            title: "Damage foretold against speedup",
            description: "\(steps.count) steps, from \(Figures.ratio(first.speedup)) to "
                + "\(Figures.ratio(last.speedup)); dashed lines are the plans chosen.",
            height: height,
            """
            \(frame.markup)
            \(marks)
            <g class="series s0"><polyline points="\(line)"/></g>
            """)
    }
}
