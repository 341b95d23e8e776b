/// The table of speed and quality of the dense model, the pruned models and the baselines.
struct QualityTable {
    let report: PruneReport
    let measures: [QualityMeasure]

    var columns: [String] {
        ["Model", "Measured"] + measures.flatMap { [$0.title] + ($0.hasChange ? ["Change"] : []) }
            + secondColumns
    }

    var rows: [(heading: String, cells: [String])] {
        let dense = row("dense", 1, nil, isDense: true)
        let own = report.targets.map {
            row(
                "\(report.method), \(Figures.target($0.target))", $0.measured, $0.quality,
                $0.second)
        }
        let others = report.baselines.map {
            row(
                "\(report.label(of: $0)), \(Figures.target($0.target))", $0.measured, $0.quality,
                $0.second)
        }
        return [dense] + formats + own + others
    }

    /// The rows of the dense model in other formats, one row for each format.
    private var formats: [(heading: String, cells: [String])] {
        (report.formats ?? []).map {
            row("dense in \($0.format)", $0.speedup, $0.quality)
        }
    }

    /// The indices of the rows of the pruned models.
    var ownRows: Set<Int> {
        Set(report.targets.indices.map { $0 + 1 + (report.formats?.count ?? 0) })
    }

    private func row(
        _ name: String, _ speedup: Double, _ figures: QualityFigures?,
        _ second: QualityFigures? = nil, isDense: Bool = false
    ) -> (heading: String, cells: [String]) {
        let cells = measures.flatMap { measure -> [String] in
            let dense = measure.denseValue(in: report)
            let value = isDense ? dense : figures.flatMap(measure.value)
            guard measure.hasChange else { return [measure.text(value)] }
            guard !isDense, let dense, let value else { return [measure.text(value), "–"] }
            return [measure.text(value), Figures.change(from: dense, to: value)]
        }
        let second = secondCells(second, isDense: isDense)
        return (name, [Figures.ratio(speedup)] + cells + second)
    }
}

extension QualityMeasure {
    /// Whether a relative change from the dense value is meaningful.
    var hasChange: Bool { self == .perplexity }
}

/// The table of what training recovered for each target.
struct RecoveryTable {
    let report: PruneReport

    let columns = [
        "Target", "Trained on", "Steps", "Tokens", "Evaluated by", "Dense", "Pruned", "Trained",
    ]

    var rows: [(heading: String, cells: [String])] {
        report.targets.compactMap { result in
            result.recovery.map {
                (
                    Figures.target(result.target),
                    [
                        $0.method == "distill" ? "the dense model’s outputs" : "the data",
                        Figures.count($0.steps), Figures.count($0.tokens), $0.measure,
                        $0.dense.map { Figures.decimal($0, 3) } ?? "–",
                        Figures.decimal($0.before, 3), Figures.decimal($0.after, 3),
                    ]
                )
            }
        }
    }
}

/// The table of the plans that were built and measured for each target, in the order of measurement.
struct TrialTable {
    let report: PruneReport

    let columns = ["Target", "Predicted", "Measured"]

    var rows: [(heading: String, cells: [String])] {
        report.targets.flatMap { result in
            (result.trials ?? []).map {
                (
                    Figures.target(result.target),
                    [Figures.ratio($0.predicted), Figures.ratio($0.measured)]
                )
            }
        }
    }
}

/// The table of the sizes of every layer in the dense model and the model of each target.
struct LayerTable {
    let report: PruneReport

    var columns: [String] {
        ["Layer", "Dense"] + report.targets.map { Figures.target($0.target) }
    }

    var rows: [(heading: String, cells: [String])] {
        report.model.layers.indices.map { index in
            let layers =
                [report.model.layers[index]]
                + report.targets.map {
                    index < $0.layers.count
                        ? $0.layers[index]
                        : LayerSizes(queryHeads: 0, keyValueHeads: 0, feedForward: 0)
                }
            return ("\(index + 1)", layers.map(\.text))
        }
    }
}

extension LayerSizes {
    /// The sizes of the layer, and the formats of its blocks if the model has several formats.
    fileprivate var text: String {
        let sizes = "\(queryHeads) / \(keyValueHeads) / \(feedForward)"
        guard hasFormats else { return sizes }
        return "\(sizes) (\(attentionFormat ?? "–"), \(feedForwardFormat ?? "–"))"
    }
}

/// The table of the levels of a latency curve.
enum LevelTable {
    static func columns(_ units: String) -> [String] {
        [units.prefix(1).uppercased() + units.dropFirst(), "Median", "Spread", ""]
    }

    static func rows(of curve: ComponentLatency) -> [(heading: String, cells: [String])] {
        curve.points.map { point in
            (
                Figures.count(point.level),
                [
                    Figures.time(point.seconds),
                    "\(Figures.time(point.low)) – \(Figures.time(point.high))",
                    point.dominated ? "dominated" : "",
                ]
            )
        }
    }
}
