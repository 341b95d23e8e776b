/// Whether the model of a target is worth its losses.
struct Decision {
    let report: PruneReport
    let result: TargetResult
    /// The losses, the worst first.
    let losses: [QualityLoss]
    /// The dense model in one format, if it is as fast and loses no more.
    let better: FormatResult?

    init(_ result: TargetResult, in report: PruneReport) {
        (self.report, self.result) = (report, result)
        losses = QualityLoss.all(of: result, in: report)
        let measure = QualityMeasure.present(in: report).first
        better =
            result.removesNothing(of: report.model)
            ? nil
            : report.formats?.first { format in
                guard let loss = measure?.value(of: result.quality),
                    let other = measure?.value(of: format.quality)
                else { return false }
                return format.speedup >= AdviceRules.sameSpeed * result.measured && other <= loss
            }
    }

    /// Creates a decision for a model whose quality was measured; otherwise nil.
    init?(known result: TargetResult, in report: PruneReport) {
        self.init(result, in: report)
        if losses.isEmpty { return nil }
    }

    /// The advice for the worst loss.
    var advice: Advice { losses.first?.advice ?? .test }

    /// The advice as an imperative.
    var title: String { better.map { "Prefer \($0.format) alone" } ?? advice.title }

    /// Whether the model can be used as it is.
    var isGood: Bool { better == nil && advice == .keep && result.measured >= result.target }

    /// Why this is advised, as complete sentences.
    var reason: String {
        if let better {
            return "The dense model in \(better.format) is \(Figures.ratio(better.speedup)) faster "
                + "and loses no more."
        }
        let missed =
            result.measured < result.target
            ? "The target of \(Figures.target(result.target)) was not reached. " : ""
        guard let worst = losses.first else { return missed + "No quality was measured." }
        return missed
            + (advice == .keep ? "No measured loss is large. The largest: " : "The largest loss: ")
            + "on \(worst.subject): \(worst.change)."
    }

    /// The speed, the worst loss and the size in one sentence.
    var sentence: String {
        [
            "\(Self.times(result.measured)) as fast on this machine",
            losses.first?.phrase, size,
        ].compactMap(\.self).joined(separator: "; ") + "."
    }

    private static func times(_ ratio: Double) -> String {
        Figures.decimal(ratio, ratio < 2 ? 2 : 1) + " times"
    }

    /// The size of the weights relative to the dense model's; nil if it is unknown.
    private var size: String? {
        guard let bytes = result.weightBytes, let dense = report.model.weightBytes, dense > 0 else {
            return nil
        }
        return "\(Figures.decimal(100 * Double(bytes) / Double(dense), 0))% of the memory"
    }

    /// The most useful model of a report: the fastest that can be used as it is, or else the one
    /// with the best advice; nil if the report has no model.
    static func best(in report: PruneReport) -> Decision? {
        let all = report.targets.map { Decision($0, in: report) }
        return all.filter(\.isGood).max { $0.result.measured < $1.result.measured }
            ?? all.min { ($0.advice, $0.result.target) < ($1.advice, $1.result.target) }
    }
}

extension PruneReport {
    /// What the most useful model gives and costs, and what the report advises; nil if there is no
    /// model.
    public var advice: String? {
        Decision.best(in: self).map {
            "\(Figures.target($0.result.target)): \($0.sentence) \($0.title). \($0.reason)"
        }
    }
}

/// The answers to the questions that decide whether a model is used.
extension Decision {
    /// Questions with their answers.
    var answers: [(question: String, answer: String)] {
        [
            ("How much faster?", speed), ("What got worse first?", worst),
            ("Would a format alone do?", formatAlone), ("How big is it?", sizes),
        ]
    }

    private var speed: String {
        "\(Figures.ratio(result.measured)), measured: \(Figures.time(result.denseSeconds)) → "
            + "\(Figures.time(result.seconds)). 95% interval: \(Figures.interval(result.interval))."
            + (result.isDisturbed ? " Other programs disturbed the measurement." : "")
    }

    private var worst: String {
        guard let worst = losses.first else { return "Nothing was measured." }
        let others = losses.dropFirst().prefix(1).map { " Then \($0.subject): \($0.change)." }
        return "\(worst.subject): \(worst.change).".capitalisedFirst + others.joined()
            + (report.tasks?.isEmpty == false ? "" : " No task was measured.")
    }

    private var formatAlone: String {
        guard let formats = report.formats, !formats.isEmpty else {
            return "Not measured: this run used one format."
        }
        if result.removesNothing(of: report.model) {
            return "Yes. This model is the dense model in fewer bits; nothing is removed."
        }
        let measure = QualityMeasure.present(in: report).first
        func described(_ format: FormatResult) -> String {
            let quality = measure.flatMap { measure in
                measure.value(of: format.quality).map {
                    ", \(measure.title.prefix(1).lowercased())\(measure.title.dropFirst()) "
                        + measure.text($0)
                }
            }
            return "\(format.format) \(Figures.ratio(format.speedup))\(quality ?? "")"
        }
        let fast = formats.filter { $0.speedup >= result.target }
        guard let first = fast.first else {
            let fastest = formats.max { $0.speedup < $1.speedup } ?? formats[0]
            return "No. The fastest is \(described(fastest))."
        }
        return better == nil
            ? "It is as fast, but loses more: \(described(first))."
            : "Yes: \(described(first))."
    }

    private var sizes: String {
        func change(_ before: Int?, _ after: Int?) -> String? {
            after.map { (before.map { Figures.bytes($0) + " → " } ?? "") + Figures.bytes($0) }
        }
        let parts = [
            change(report.model.weightBytes, result.weightBytes).map {
                "Weights in memory: \($0)."
            },
            change(report.model.bytes, result.bytes).map { "Files: \($0)." },
        ].compactMap(\.self)
        return parts.isEmpty
            ? "\(Figures.count(report.model.parameters)) → \(Figures.count(result.parameters)) weights."
            : parts.joined(separator: " ")
    }
}

extension String {
    /// The string with a capital first letter.
    fileprivate var capitalisedFirst: String { prefix(1).uppercased() + dropFirst() }
}
