/// The results of contextual sparsity: what a decoder skips for each token, and how much faster
/// this makes it.
public struct SparsityReport: Codable, Sendable, Equatable {
    /// A model that was measured.
    public struct Trial: Codable, Sendable, Equatable {
        /// A description of what the model skips.
        public let name: String
        /// The perplexity on text that it was not calibrated on.
        public let perplexity: Double
        /// The speedup over the dense model; nil if it was not measured.
        public let speedup: Double?
        /// The ends of the 95 % confidence interval, or empty.
        public let interval: [Double]
        /// Whether the perplexity is within the allowed cost.
        public let isWithinCost: Bool
        /// Whether other programs disturbed the measurement.
        public let isDisturbed: Bool

        /// Describes a trial.
        public init(
            name: String, perplexity: Double, speedup: Double?, interval: [Double],
            isWithinCost: Bool, isDisturbed: Bool
        ) {
            (self.name, self.perplexity, self.speedup) = (name, perplexity, speedup)
            (self.interval, self.isWithinCost) = (interval, isWithinCost)
            self.isDisturbed = isDisturbed
        }

        /// Whether the model is certainly faster than the dense model.
        public var isFaster: Bool { interval.first.map { $0 > 1 } ?? false }
    }

    /// A layer in which neurons are skipped, measured on text that was not used for calibration.
    public struct Layer: Codable, Sendable, Equatable {
        /// The index of the layer.
        public let layer: Int
        /// The method that selects neurons.
        public let choice: String
        /// The fraction of neurons that is computed.
        public let density: Double
        /// The fraction of the needed neurons that is computed.
        public let recall: Double
        /// The fraction of the squared contributions of all neurons that the computed neurons have.
        public let kept: Double
        /// This fraction for the same number of neurons with the largest contributions.
        public let keptByOracle: Double
        /// This fraction for the same number of random neurons.
        public let keptAtRandom: Double

        /// Describes a layer.
        public init(
            layer: Int, choice: String, density: Double, recall: Double, kept: Double,
            keptByOracle: Double, keptAtRandom: Double
        ) {
            (self.layer, self.choice, self.density) = (layer, choice, density)
            (self.recall, self.kept) = (recall, kept)
            (self.keptByOracle, self.keptAtRandom) = (keptByOracle, keptAtRandom)
        }
    }

    /// The version of the program.
    public var version: String
    /// The name of the model.
    public var model: String
    /// The environment that was timed.
    public var environment: EnvironmentDescription
    /// The perplexity of the dense model.
    public var densePerplexity: Double
    /// The models that were measured, in order.
    public var trials: [Trial]
    /// The trial that was written; nil if none is faster than the dense model.
    public var best: Trial?
    /// The layers in which neurons are skipped.
    public var layers: [Layer]
    /// The number of layers in which small inputs of the attention block are skipped.
    public var inputLayers: Int
    /// The fractions of heads and of neurons that were removed permanently.
    public var removed: [Double]
    /// The fraction of tokens for which 4-bit logits give the same most likely token as exact
    /// logits; nil if all logits are exact.
    public var sameWords: Double?
    /// The number of tokens that were compared.
    public var comparedWords: Int?

    /// Creates a report.
    public init(
        version: String, model: String, environment: EnvironmentDescription,
        densePerplexity: Double, trials: [Trial], best: Trial?, layers: [Layer],
        inputLayers: Int, removed: [Double], sameWords: Double?, comparedWords: Int?
    ) {
        (self.version, self.model, self.environment) = (version, model, environment)
        (self.densePerplexity, self.trials, self.best) = (densePerplexity, trials, best)
        (self.layers, self.inputLayers, self.removed) = (layers, inputLayers, removed)
        (self.sameWords, self.comparedWords) = (sameWords, comparedWords)
    }

    /// The columns of the trials' table, for the page and the terminal.
    public var trialColumns: [String] {
        ["skipped", "perplexity", "cost", "speedup", "interval", ""]
    }

    /// The cells of the trials' table.
    public var trialRows: [[String]] {
        trials.map { trial in
            [
                trial.name, Figures.perplexity(trial.perplexity),
                Figures.change(from: densePerplexity, to: trial.perplexity),
                trial.speedup.map(Figures.ratio) ?? "",
                trial.interval.isEmpty ? "" : Figures.interval(trial.interval),
                trial == best ? "written" : trial.isWithinCost ? "" : "too costly",
            ]
        }
    }

    /// The columns of the layers' table.
    public var layerColumns: [String] {
        ["layer", "predictor", "computed", "recall", "kept", "best", "random"]
    }

    /// The cells of the layers' table.
    public var layerRows: [[String]] {
        layers.map { layer in
            [
                String(layer.layer), layer.choice, Figures.percent(layer.density),
                Figures.percent(layer.recall), Figures.percent(layer.kept),
                Figures.percent(layer.keptByOracle), Figures.percent(layer.keptAtRandom),
            ]
        }
    }

    /// Remarks on the tables, as complete sentences.
    public var remarks: [String] {
        var remarks: [String] = []
        if let heads = removed.first, let neurons = removed.last, heads + neurons > 0 {
            remarks.append(
                "\(Figures.percent(heads)) of the heads and \(Figures.percent(neurons)) of the "
                    + "neurons are removed permanently.")
        }
        if inputLayers > 0 {
            remarks.append(
                "In \(inputLayers) \(inputLayers == 1 ? "layer" : "layers") small inputs of the "
                    + "attention block are skipped.")
        }
        if let sameWords, let comparedWords {
            remarks.append(
                "Of \(Figures.count(comparedWords)) tokens "
                    + "\(Figures.decimal(100 * sameWords, 2))% are the same as with exact logits.")
        }
        if best == nil {
            remarks.append(
                "No model is certainly faster than the dense model here, so nothing is skipped.")
        }
        if trials.contains(where: \.isDisturbed) {
            remarks.append("Other programs disturbed the measurement: stop them and measure again.")
        }
        return remarks
    }

    /// An explanation of the table of trials.
    public static let trialNote =
        "Decoding compared with the dense model; perplexity on text that was not used to calibrate."
    /// An explanation of the table of layers.
    public static let layerNote =
        "computed: the fraction of a layer's neurons or heads that is computed. recall: the fraction "
        + "of the needed neurons or heads that is computed. kept: the fraction of the squared "
        + "contributions that is computed. best and random: this fraction for the best and for a random "
        + "selection of the same size."

    /// The report as one page.
    ///
    /// It has no script, needs no other file, and is valid XML.
    public var html: String {
        func table(_ caption: String, _ columns: [String], _ rows: [[String]], own: Set<Int> = [])
            -> Markup
        {
            HTMLTable(
                caption: caption, columns: columns,
                rows: rows.map { ($0[0], Array($0.dropFirst())) }, strong: own
            ).markup
        }
        func section(_ id: String, _ title: String, _ content: Markup) -> Markup {
            """
            <section aria-labelledby="\(id)">
            <h2 id="\(id)">\(title)</h2>
            \(content)
            </section>
            """
        }
        let own = Set(trials.indices.filter { trials[$0] == best })
        let notes = remarks.map { "<p>\($0)</p>" as Markup }
        let figure = DensityFigure(layers: layers).markup.map {
            "<figure>\n\($0)\n</figure>" as Markup
        }
        return Page(
            title: "\(model), sparsified: Espalier report", kind: "sparsity report", heading: model,
            environment: environment, version: version,
            sections: [
                section(
                    "speed", "How much faster, and what it costs",
                    "\(table(Self.trialNote, trialColumns, trialRows, own: own))\n\(notes)"),
                layers.isEmpty
                    ? ""
                    : section(
                        "layers", "Which neurons are computed",
                        """
                        <p>\(Self.layerNote)</p>
                        <div class="pictures">
                        \([figure].compactMap(\.self))
                        </div>
                        \(table("By layer", layerColumns, layerRows))
                        """),
            ],
            footer: "Made by Espalier \(version)."
        ).markup.text
    }
}

/// Plots the fraction of contributions that predictors keep in each layer, compared with a random
/// selection.
private struct DensityFigure {
    let layers: [SparsityReport.Layer]

    private let height = 240.0

    /// The plot; nil if there are fewer than two layers.
    var markup: Markup? {
        guard layers.count > 1, let first = layers.first, let last = layers.last else { return nil }
        let x = Axis(
            Double(first.layer), Double(last.layer), isWhole: true, from: PlotFrame.left + 6,
            to: PlotFrame.right - 6)
        let y = Axis(0, 100, from: height - PlotFrame.bottom, to: PlotFrame.top)
        let frame = PlotFrame(
            height: height, x: x, y: y, xTitle: "layer", yTitle: "% of neurons or contributions"
        )
        let series: [(name: String, values: [Double])] = [
            ("kept", layers.map(\.kept)), ("computed, kept at random", layers.map(\.density)),
            ("needed neurons found", layers.map(\.recall)),
        ]
        let lines = series.enumerated().map { index, one -> Markup in
            let points = zip(layers, one.values).map { layer, value -> Markup in
                "\(x.position(Double(layer.layer))),\(y.position(100 * value))"
            }
            return "<g class=\"series s\(index)\"><polyline points=\"\(points)\"/></g>"
        }
        let entries = series.enumerated().map { index, one -> Markup in
            """
            <li><svg viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">\
            <g class="series s\(index)"><polyline points="0,7 14,7"/></g></svg> \(one.name)</li>
            """
        }
        let picture = PlotFrame.picture(
            title: "Neurons by layer",
            description: series.map { one in
                let mean = one.values.reduce(0, +) / Double(one.values.count)
                return "\(one.name): mean \(Figures.percent(mean))"
            }.joined(separator: "; ") + ".",
            height: height, "\(frame.markup)\n\(lines)")
        return "\(picture)\n<ul class=\"legend\">\n\(entries)\n</ul>"
    }
}
