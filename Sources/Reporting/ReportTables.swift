/// The table of the divergence of predictions from the dense model's: its formats, the pruned models
/// and the baselines.
struct DivergenceTable {
    let report: PruneReport

    private var measures: [QualityMeasure] {
        QualityMeasure.present(in: report).filter(\.isDivergence)
    }

    var columns: [String] { ["Model"] + measures.map(\.title) }

    /// The rows of the models with a measured divergence.
    var rows: [(heading: String, cells: [String])] {
        let formats = (report.formats ?? []).compactMap { row("dense, \($0.format)", $0.quality) }
        let own = report.targets.compactMap {
            row("this run, \(Figures.target($0.target))", $0.quality)
        }
        let others = report.baselines.compactMap {
            row("\(report.label(of: $0)), \(Figures.target($0.target))", $0.quality)
        }
        return formats + own + others
    }

    private func row(
        _ name: String, _ figures: QualityFigures
    ) -> (heading: String, cells: [String])? {
        let values = measures.map { $0.value(of: figures) }
        guard values.contains(where: { $0 != nil }) else { return nil }
        return (name, zip(measures, values).map { $0.text($1) })
    }
}

extension QualityMeasure {
    /// Whether a relative change from the dense value is meaningful.
    var hasChange: Bool { self == .perplexity }

    /// Whether the measure compares each prediction with the dense model's.
    var isDivergence: Bool { self == .kl || self == .top1 }
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
