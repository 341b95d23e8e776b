import CommandLine
import Profiling
import Tensors

/// What `bench` found.
struct BenchAnswer: Encodable {
    /// The time of one model.
    struct Figures: Encodable {
        /// The median; of a comparison's model, the dense model's divided by the speedup.
        let seconds: Double
        /// The width of the median's 95 % confidence interval, as a fraction of the median.
        let spread: Double
        /// The number of samples.
        let samples: Int

        init(_ timing: Timing, seconds: Double? = nil) {
            self.seconds = seconds ?? timing.seconds
            spread = timing.spread
            samples = timing.samples
        }
    }

    let environment: Environment
    var model: Figures?
    private(set) var dense: Figures?
    /// The precision of the model compared with, where it is another.
    var densePrecision: Precision?
    private(set) var speedup: Double?
    /// The ends of the speedup's 95 % confidence interval.
    private(set) var speedupInterval: [Double]?
    /// Whether other programs disturbed the measurement.
    var isDisturbed = false
    var limits: LimitsAnswer?

    init(_ environment: Environment) {
        self.environment = environment
    }

    /// Takes over what a comparison measured.
    ///
    /// The speedup is the median of the ratios of pairs, and rarely the ratio of both medians. One
    /// pair of times stands for it: the dense model's median, and what the speedup makes of that.
    mutating func add(_ comparison: Comparison) {
        model = Figures(
            comparison.model, seconds: comparison.dense.seconds / comparison.speedup)
        dense = Figures(comparison.dense)
        speedup = comparison.speedup
        speedupInterval = [comparison.interval.lowerBound, comparison.interval.upperBound]
        isDisturbed = comparison.isDisturbed
    }

    /// The answer as people read it.
    ///
    /// - Parameter names: The model's name, and that of the dense one where there is one.
    /// - Returns: Lines of at most 80 columns.
    func text(names: [String]) -> String {
        var table = Table("model", "time", "±", "samples", "tokens/s")
        let precisions = [environment.precision, densePrecision ?? environment.precision]
        for (index, figures) in [model, dense].enumerated() where index < names.count {
            guard let figures else { continue }
            let suffix = densePrecision == nil ? "" : ", \(precisions[index].rawValue)"
            table.add(
                names[index] + suffix, Human.duration(figures.seconds, digits: 4),
                Human.percent(figures.spread / 2), "\(figures.samples)",
                Human.significant(Double(tokens) / figures.seconds, digits: 4))
        }
        var text = "\(environment.machine)\n\(environment.summary)\n\n\(table.rendered())"
        if let speedup, let interval = speedupInterval {
            text += "\nSpeedup \(Human.ratio(speedup))"
            text += " (95% between \(Human.ratio(interval[0])) and \(Human.ratio(interval[1])))\n"
            text +=
                "It is the median of paired ratios; the first time is the second divided by it.\n"
        }
        if isDisturbed {
            text += "\nOther programs disturbed the measurement: stop them and measure again.\n"
        }
        if let limits { text += "\n" + limits.text }
        return text
    }

    private var tokens: Int {
        environment.batch * (environment.phase == .decode ? 1 : environment.sequence)
    }
}
