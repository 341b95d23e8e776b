/// Plots quality against speed for methods, or for runs.
struct TradeoffFigure {
    /// A model: its value on the speed axis, its quality, and the label of its mark.
    struct Point {
        let x: Double
        let quality: Double
        var label = ""
    }

    /// Models of one method or run, and their dense model.
    struct Series {
        let name: String
        let dense: Point
        let points: [Point]
    }

    /// A line of predicted values, drawn dashed.
    struct Prediction {
        let name: String
        let points: [Point]
    }

    let measure: QualityMeasure
    let series: [Series]
    var predictions: [Prediction] = []
    /// The title of the horizontal axis, such as `times faster, measured`.
    let xTitle: String
    /// Values of the horizontal axis that have a tick.
    let ticks: [Double]
    /// Describes a value of the horizontal axis.
    let describe: (Double) -> String

    private let height = 290.0

    /// The plot with its legend; nil if there is no result.
    var markup: Markup? {
        let all = series.flatMap(\.points)
        guard !all.isEmpty else { return nil }
        let shown = all + series.map(\.dense)
        let (minimum, maximum) = (
            shown.map(\.quality).min() ?? 0, shown.map(\.quality).max() ?? 1
        )
        let isLogarithmic = measure == .perplexity && minimum > 0 && maximum / minimum > 6
        let margin = isLogarithmic ? 1.12 : 1 + 0.06 * (1 - minimum / max(maximum, 1e-12))
        let (low, high) = (shown.map(\.x).min() ?? 0, shown.map(\.x).max() ?? 1)
        let x = Axis(
            low, high + 0.02 * abs(high), always: ticks, from: PlotFrame.left + 6,
            to: PlotFrame.right - 6)
        let y = Axis(
            isLogarithmic
                ? minimum / 1.12
                : measure == .top1 || measure == .perplexity
                    ? minimum - (maximum - minimum) * 0.08 : 0,
            maximum * margin, isLogarithmic: isLogarithmic, from: height - PlotFrame.bottom,
            to: PlotFrame.top)
        let frame = PlotFrame(
            height: height, x: x, y: y, xTitle: xTitle,
            yTitle: measure.title + (isLogarithmic ? ", logarithmic" : ""))
        let drawn = series.enumerated().reversed().map { index, one -> Markup in
            let line = ([one.dense] + one.points).map { point -> Markup in
                "\(x.position(point.x)),\(y.position(point.quality))"
            }
            let marks = one.points.map {
                marker(index, x: x.position($0.x), y: y.position($0.quality))
            }
            return """
                <g class="series s\(index % 6)">
                <polyline points="\(line)"/>
                \(marks)
                </g>
                """
        }
        let rings = series.map { one -> Markup in
            """
            <circle class="dense" cx="\(x.position(one.dense.x))" \
            cy="\(y.position(one.dense.quality))" r="4.5"/>
            """
        }
        let picture = PlotFrame.picture(
            title: "\(measure.title) against speed",
            description: series.map { one in
                "\(one.name): "
                    + one.points.map { "\(measure.text($0.quality)) at \(describe($0.x))" }
                    .joined(separator: ", ")
            }.joined(separator: "; ") + ".",
            height: height,
            """
            \(frame.markup)
            \(dashed(x, y))
            \(drawn)
            \(rings)
            \(labels(x, y))
            """)
        return "\(picture)\n\(legend)"
    }

    /// The predicted lines, as far as they are beside the marks; without those that are too short.
    private var lines: [(style: Markup, name: String, points: [Point])] {
        let all = series.flatMap(\.points) + series.map(\.dense)
        let (most, fastest) = (all.map(\.quality).max() ?? 0, all.map(\.x).max() ?? 0)
        return predictions.enumerated().compactMap { index, one in
            let points = one.points.filter { $0.quality <= most && $0.x <= fastest }
            return points.count > 1 ? (index == 0 ? "p0" : "p1", one.name, points) : nil
        }
    }

    /// Draws the predicted lines.
    private func dashed(_ x: Axis, _ y: Axis) -> [Markup] {
        lines.map { style, _, points in
            let line = points.map { "\(x.position($0.x)),\(y.position($0.quality))" as Markup }
            return "<g class=\"series \(style)\"><polyline points=\"\(line)\"/></g>"
        }
    }

    /// Returns the labels of the marks.
    ///
    /// Each label is at the first place that no mark, line or other label occupies.
    private func labels(_ x: Axis, _ y: Axis) -> [Markup] {
        struct Box {
            let left, right, top, bottom: Double

            func meets(_ other: Box) -> Bool {
                left < other.right && other.left < right && top < other.bottom
                    && other.top < bottom
            }
        }
        let shown = series.flatMap { [$0.dense] + $0.points }
        var taken = shown.map { point in
            let (at, height) = (x.position(point.x), y.position(point.quality))
            return Box(left: at - 5, right: at + 5, top: height - 5, bottom: height + 5)
        }
        for one in series {
            let line = [one.dense] + one.points
            for (from, to) in zip(line, line.dropFirst()) {
                taken += (0...40).map { step in
                    let share = Double(step) / 40
                    let (left, right) = (x.position(from.x), x.position(to.x))
                    let (first, last) = (y.position(from.quality), y.position(to.quality))
                    let at = left + share * (right - left)
                    let height = first + share * (last - first)
                    return Box(left: at - 1, right: at + 1, top: height - 1, bottom: height + 1)
                }
            }
        }
        return shown.filter { !$0.label.isEmpty }.compactMap { point in
            let (at, height) = (x.position(point.x), y.position(point.quality))
            let width = 6.4 * Double(point.label.count)
            let places: [(x: Double, y: Double)] = [
                (at, height - 9), (at, height + 17), (at + 8 + width / 2, height + 4),
                (at - 8 - width / 2, height + 4), (at + 5 + width / 2, height - 8),
                (at - 5 - width / 2, height - 8), (at + 5 + width / 2, height + 15),
                (at - 5 - width / 2, height + 15),
            ]
            for place in places {
                let box = Box(
                    left: place.x - width / 2, right: place.x + width / 2, top: place.y - 9,
                    bottom: place.y + 2)
                guard box.left >= PlotFrame.left, box.right <= PlotFrame.width,
                    box.top >= PlotFrame.top - 8, box.bottom <= self.height - PlotFrame.bottom,
                    !taken.contains(where: box.meets)
                else { continue }
                taken.append(box)
                return """
                    <text class="tick" x="\(place.x)" y="\(place.y)" \
                    text-anchor="middle">\(point.label)</text>
                    """
            }
            return nil
        }
    }

    private var legend: Markup {
        let entries = series.enumerated().map { index, one -> Markup in
            """
            <li><svg viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">\
            <g class="series s\(index % 6)">\(marker(index, x: 7, y: 7))</g></svg> \(one.name)</li>
            """
        }
        let predicted = lines.map { style, name, _ -> Markup in
            """
            <li><svg viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">\
            <g class="series \(style)"><polyline points="0,7 14,7"/></g></svg> \(name)</li>
            """
        }
        return """
            <ul class="legend">
            \(entries)
            \(predicted)
            <li><svg viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">\
            <circle class="dense" cx="7" cy="7" r="4.5"/></svg> dense</li>
            </ul>
            """
    }

    /// Returns a mark; marks of different series differ in shape and colour.
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

extension TradeoffFigure {
    /// Plots the family and the baselines of a report; nil if the dense model's quality is unknown.
    init?(report: PruneReport, measure: QualityMeasure) {
        guard let quality = measure.denseValue(in: report) else { return nil }
        func points(
            _ results: [(speedup: Double, figures: QualityFigures, label: String)]
        ) -> [Point] {
            results.compactMap { result in
                measure.value(of: result.figures).map {
                    Point(x: result.speedup, quality: $0, label: result.label)
                }
            }
        }
        func series(_ name: String, _ points: [Point]) -> Series {
            Series(name: name, dense: Point(x: 1, quality: quality), points: points)
        }
        let family = series(
            report.method == "greedy" ? "this run" : report.method,
            points(
                report.targets.map { ($0.measured, $0.quality, Figures.target($0.target)) }
            ).sorted { $0.x < $1.x })
        let prediction = QualityPrediction(report: report, measure: measure)
        let levers = prediction.map { prediction in
            (report.levers ?? []).map { lever in
                Prediction(
                    name: "\(lever.name), predicted",
                    points: lever.steps.map {
                        Point(x: $0.speedup, quality: prediction.quality(of: $0.loss))
                    })
            }
        }
        let methods = report.baselines.map(report.label)
        let unique = methods.indices.filter { methods.firstIndex(of: methods[$0]) == $0 }
        let others = unique.map { index in
            series(
                methods[index],
                points(
                    report.baselines.filter { report.label(of: $0) == methods[index] }
                        .map { ($0.measured, $0.quality, "") }
                ).sorted { $0.x < $1.x })
        }
        let formats = series(
            "dense model in one format",
            points((report.formats ?? []).map { ($0.speedup, $0.quality, $0.format) }))
        self.init(
            measure: measure,
            series: [family] + ([formats] + others).filter { !$0.points.isEmpty },
            predictions: levers ?? [], xTitle: "times faster, measured", ticks: [1],
            describe: Figures.ratio)
    }
}
