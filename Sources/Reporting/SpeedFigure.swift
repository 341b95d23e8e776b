/// Shows a measured speedup with its interval, next to the target and the prediction.
struct SpeedFigure {
    let result: TargetResult

    var markup: Markup {
        let shown = [result.target, result.predicted, result.measured] + result.interval
        let (minimum, maximum) = (shown.min() ?? 1, shown.max() ?? 1)
        // The axis includes 1×, the dense model, so that all speedups are seen relative to it.
        let low = min(1, minimum)
        let margin = 0.06 * (maximum - low)
        let axis = Axis(
            low < 1 ? low - margin : 1, maximum + margin, always: [1], from: 20, to: 300)
        let left = axis.position(result.interval.first ?? result.measured)
        let right = axis.position(result.interval.last ?? result.measured)
        let at = axis.position(result.measured)
        let target = axis.position(result.target)
        let anchor = target > 280 ? "end" : target < 40 ? "start" : "middle"
        let ticks = axis.ticks.map { tick -> Markup in
            """
            <text class="tick" x="\(axis.position(tick))" y="64" \
            text-anchor="middle">\(axis.text(tick))×</text>
            """
        }
        return PlotFrame.picture(
            title: "Speedup for a target of \(Figures.target(result.target))",
            description: "Measured \(Figures.ratio(result.measured)), between "
                + "\(Figures.interval(result.interval)); predicted "
                + "\(Figures.ratio(result.predicted)).",
            width: 320, height: 70,
            """
            <line class="axis" x1="2" x2="318" y1="50" y2="50"/>
            <rect class="band" x="\(left)" y="26" width="\(max(2, right - left))" height="16" rx="3"/>
            <line class="target" x1="\(target)" x2="\(target)" y1="18" y2="50"/>
            <text class="tick" x="\(target)" y="13" text-anchor="\(anchor)">target</text>
            <circle class="hollow" cx="\(axis.position(result.predicted))" cy="34" r="5"/>
            <circle class="dot" cx="\(at)" cy="34" r="4.5"/>
            \(ticks)
            """)
    }
}
