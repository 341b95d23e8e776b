/// The sentences of a report that HTML and Markdown share.
struct Narrative {
    let report: PruneReport

    /// The environment of the speedups, such as `decode · batch 1 · …`.
    var environment: String { report.environment.summary }

    /// Returns a text that says whether a target is reached, missed, or within the noise.
    func verdict(of result: TargetResult) -> String {
        if result.measured < result.target { return "below the target" }
        return isSure(of: result) ? "target reached" : "target reached, within the noise"
    }

    /// Returns whether a model certainly reaches its target.
    func isSure(of result: TargetResult) -> Bool {
        min(result.measured, result.interval.first ?? result.measured) >= result.target
    }

    /// The largest possible speedup, from the time outside all components; nil if that was not
    /// measured.
    var maximumSpeedup: String? {
        guard report.baseSeconds > 0, report.denseSeconds > 0 else { return nil }
        return "The dense model takes \(Figures.time(report.denseSeconds)). By the profile, "
            + "\(Figures.time(report.baseSeconds)) of this are spent outside the layers and cannot be "
            + "pruned, so no plan can be more than "
            + "\(Figures.ratio(report.denseSeconds / report.baseSeconds)) faster."
    }

    /// How the times are related to the speedups.
    let times =
        "A speedup is the median of paired ratios. The time of the dense model is the median of its "
        + "times measured alternately with the pruned models. The time of a pruned model is this time "
        + "divided by its speedup."

    /// A warning if the profile is from another machine; otherwise nil.
    var otherMachine: String? {
        report.profiledMachine.map {
            "The profile is of another machine (\($0)). Predictions and the time of each size are for "
                + "that machine; speedups were measured on \(report.environment.machine)."
        }
    }

    /// Returns the sizes of the models on disk, before and after pruning; nil if unknown.
    func disk(of result: TargetResult) -> String? {
        guard let bytes = result.bytes else { return nil }
        return (report.model.bytes.map { Figures.bytes($0) + " → " } ?? "") + Figures.bytes(bytes)
    }

    /// The errors of the profile's predictions; nil if they were not measured.
    var verification: String? {
        report.verification.map {
            "The profile predicted the times of \($0.plans) random plans, each measured as a "
                + "complete model, with a median error of \(Figures.percent($0.medianError)) and "
                + "a maximum error of \(Figures.percent($0.worstError))."
        }
    }

    /// Returns a sentence with the numbers of heads and neurons that a model keeps, and one on its
    /// formats.
    func remainder(of result: TargetResult) -> String {
        guard result.removesNothing(of: report.model) else {
            return kept(of: result) + formats(of: result)
        }
        return "Removes nothing: formats alone reach this target." + formats(of: result)
    }

    private func kept(of result: TargetResult) -> String {
        func sum(_ layers: [LayerSizes], _ size: KeyPath<LayerSizes, Int>) -> Int {
            layers.reduce(0) { $0 + $1[keyPath: size] }
        }
        let dense = report.model.layers
        let gone = result.layers.count { $0.queryHeads == 0 && $0.feedForward == 0 }
        return "Keeps \(Figures.count(sum(result.layers, \.queryHeads))) of "
            + "\(Figures.count(sum(dense, \.queryHeads))) heads and "
            + "\(Figures.count(sum(result.layers, \.feedForward))) of "
            + "\(Figures.count(sum(dense, \.feedForward))) neurons"
            + (result.hiddenSize.map { ", and \(Figures.count($0)) channels" } ?? "")
            + (gone == 0
                ? "." : gone == 1 ? "; one layer is removed." : "; \(gone) layers are removed.")
    }

    /// Returns a sentence on the formats of a model; empty if all parts have the environment's
    /// precision.
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
            + (text.sampledByModel ? "; the model generated it" : "")
    }

    /// Reasons for caution: first reasons that follow from the numbers, then notes of the run.
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
                + "threads or processor the latencies differ: profile again.")
        if report.calibration.sampledByModel {
            caveats.append(
                "The model was calibrated on text that it generated itself. Text like its future "
                    + "inputs usually gives better quality.")
        }
        if report.dense.perplexity != nil {
            caveats.append(
                "Perplexity is an average over one text. Scores of knowledge and reasoning tasks "
                    + "often fall more than perplexity suggests: measure the task that matters.")
        } else if QualityMeasure.present(in: report).contains(.meanCosineDistance) {
            caveats.append(
                "The distance from the dense model’s vectors does not give the quality of a search "
                    + "or a classifier: measure the task that matters.")
        }
        return caveats + report.notes
    }

    /// The stages, the longest stage first.
    var stages: [(name: String, cost: StageCost)] {
        report.stages.map { (name: $0.key, cost: $0.value) }
            .sorted { ($1.cost.seconds, $0.name) < ($0.cost.seconds, $1.name) }
    }
}

extension PruneReport {
    /// For each model with formats of its own a sentence on what was removed and which formats were
    /// chosen.
    public var choices: [String] {
        targets.filter(\.hasFormats).map {
            "\(Figures.target($0.target)): " + Narrative(report: self).remainder(of: $0)
        }
    }
}
