/// The sentences of a report that HTML and Markdown share.
struct Narrative {
    let report: PruneReport

    /// The environment of the speedups, such as `decode · batch 1 · …`.
    var environment: String { report.environment.summary }

    /// A text: whether a target is reached, missed, or within the noise.
    func verdict(of result: TargetResult) -> String {
        if result.measured < result.target { return "below the target" }
        return isSure(of: result) ? "target held" : "target held, within the noise"
    }

    /// Whether a model certainly reaches its target.
    func isSure(of result: TargetResult) -> Bool {
        min(result.measured, result.interval.first ?? result.measured) >= result.target
    }

    /// The largest possible speedup, from the time outside all components; nil if that was not
    /// measured.
    var maximumSpeedup: String? {
        guard report.baseSeconds > 0, report.denseSeconds > 0 else { return nil }
        return "The dense model takes \(Figures.time(report.denseSeconds)). By the profile, "
            + "\(Figures.time(report.baseSeconds)) of it are spent outside the layers and cannot be "
            + "pruned, so no plan can be more than "
            + "\(Figures.ratio(report.denseSeconds / report.baseSeconds)) faster."
    }

    /// How the times are related to the speedups.
    let times =
        "A speedup is the median of paired ratios. The time of the dense model is the median of its "
        + "times measured in alternation with the models. The time of a model is that time divided by "
        + "its speedup."

    /// A warning if the profile is from another machine; otherwise nil.
    var otherMachine: String? {
        report.profiledMachine.map {
            "The profile is of another machine (\($0)). Predictions and the cost of each size hold "
                + "there; speedups were measured on \(report.environment.machine)."
        }
    }

    /// The sizes of the models on disk, before and after pruning; nil if unknown.
    func disk(of result: TargetResult) -> String? {
        guard let bytes = result.bytes else { return nil }
        return (report.model.bytes.map { Figures.bytes($0) + " → " } ?? "") + Figures.bytes(bytes)
    }

    /// How exact the profile's predictions are; nil if that was not measured.
    var verification: String? {
        report.verification.map {
            "The profile predicted the times of \($0.plans) random plans, each measured as a whole "
                + "model, to \(Figures.percent($0.medianError)) in the median and "
                + "\(Figures.percent($0.worstError)) at worst."
        }
    }

    /// Heads and neurons left in a model, in one sentence.
    func remainder(of result: TargetResult) -> String {
        func sum(_ layers: [LayerSizes], _ size: KeyPath<LayerSizes, Int>) -> Int {
            layers.reduce(0) { $0 + $1[keyPath: size] }
        }
        let dense = report.model.layers
        let gone = result.layers.count { $0.queryHeads == 0 && $0.feedForward == 0 }
        return "Keeps \(Figures.count(sum(result.layers, \.queryHeads))) of "
            + "\(Figures.count(sum(dense, \.queryHeads))) heads and "
            + "\(Figures.count(sum(result.layers, \.feedForward))) of "
            + "\(Figures.count(sum(dense, \.feedForward))) neurons"
            + (result.hiddenSize.map { ", and \(Figures.count($0)) channels between them" } ?? "")
            + (gone == 0
                ? "." : gone == 1 ? "; one layer is removed." : "; \(gone) layers are removed.")
            + formats(of: result)
    }

    /// A sentence on the formats of a model; empty if all its parts have the environment's precision.
    private func formats(of result: TargetResult) -> String {
        guard result.hasFormats else { return "" }
        func counts(_ formats: [String?]) -> String {
            let named = formats.map { $0 ?? report.environment.precision }
            return Set(named).sorted().map { name in
                "\(named.count { $0 == name }) \(name)"
            }.joined(separator: ", ")
        }
        let attention = result.layers.filter { $0.queryHeads > 0 }.map(\.attentionFormat)
        let feedForward = result.layers.filter { $0.feedForward > 0 }.map(\.feedForwardFormat)
        let head =
            report.model.generatesText
            ? "; output head: \(result.headFormat ?? report.environment.precision)" : ""
        return " Formats of attention blocks: \(counts(attention)); of feed-forward blocks: "
            + "\(counts(feedForward))\(head)."
    }

    /// A description of the calibration text.
    var calibration: String {
        let text = report.calibration
        return "\(text.source), \(Figures.count(text.tokens)) tokens"
            + (text.sampledByModel ? ", sampled from the model itself" : "")
    }

    /// Reasons for caution: those that follow from the numbers, then those of the run itself.
    var caveats: [String] {
        var caveats = [otherMachine].compactMap(\.self)
        for result in report.targets {
            let name = Figures.target(result.target)
            if result.measured < result.target {
                caveats.append(
                    "The \(name) model measured only \(Figures.ratio(result.measured)).")
            } else if let low = result.interval.first, low < result.target {
                caveats.append(
                    "The interval of the \(name) model begins at \(Figures.ratio(low)), below its "
                        + "target. If it is measured again, it may miss the target.")
            }
            if let both = result.confirmation, abs(both.speedup / both.first - 1) > 0.03 {
                caveats.append(
                    "The \(name) model measured \(Figures.ratio(both.first)) during the search "
                        + "and \(Figures.ratio(both.speedup)) later from its files. The report gives "
                        + "the later figure, and its interval covers both.")
            }
            if result.isDisturbed {
                caveats.append(
                    "Other programs disturbed the measurement of the \(name) model: measure it "
                        + "again on a quiet machine.")
            }
            if report.profiledMachine == nil, result.measured > 0,
                abs(result.predicted / result.measured - 1) > 0.05
            {
                caveats.append(
                    "The \(name) model was predicted at \(Figures.ratio(result.predicted)) and "
                        + "measured at \(Figures.ratio(result.measured)): the profile does not "
                        + "describe this machine’s present state well.")
            }
        }
        caveats.append(
            "The speedup holds in the environment above. With another batch, length, number of "
                + "threads or processor the latencies differ: profile there.")
        if report.calibration.sampledByModel {
            caveats.append(
                "The model was calibrated on text that it sampled itself. Text like that of its use "
                    + "usually gives better quality.")
        }
        if report.dense.perplexity != nil {
            caveats.append(
                "Perplexity is an average over one text. Scores of knowledge and reasoning tasks "
                    + "often fall more than it suggests: measure the task that matters.")
        } else if QualityMeasure.present(in: report).contains(.meanCosineDistance) {
            caveats.append(
                "Distance from the dense model’s vectors is not the quality of a search or a "
                    + "classifier: measure the task that matters.")
        }
        return caveats + report.notes
    }

    /// The stages that took longest first.
    var stages: [(name: String, cost: StageCost)] {
        report.stages.map { (name: $0.key, cost: $0.value) }
            .sorted { ($1.cost.seconds, $0.name) < ($0.cost.seconds, $1.name) }
    }
}
