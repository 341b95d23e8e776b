import Console
import Pipeline
import Reporting

extension BenchAnswer {
    /// The answer as text for people.
    ///
    /// - Parameter names: The name of the model, and of the reference model if there is one.
    /// - Returns: Lines of at most 80 columns.
    func text(names: [String]) -> String {
        var table = Table("model", "time", "±", "samples", "tokens/s")
        let precisions = [environment.precision, densePrecision ?? environment.precision]
        for (index, figures) in [model, dense].enumerated() where index < names.count {
            guard let figures else { continue }
            let suffix = densePrecision == nil ? "" : ", \(precisions[index].rawValue)"
            table.add(
                names[index] + suffix, Figures.duration(figures.seconds, digits: 4),
                Figures.percent(figures.spread / 2), "\(figures.samples)",
                Figures.significant(Double(tokens) / figures.seconds, digits: 4))
        }
        var text = "\(environment.machine)\n\(environment.summary)\n\n\(table.rendered())"
        if let speedup, let interval = speedupInterval {
            text += "\nSpeedup \(Figures.ratio(speedup))"
            text +=
                " (95% between \(Figures.ratio(interval[0])) and \(Figures.ratio(interval[1])))\n"
            text +=
                "It is the median of paired ratios. The first time is the second divided by it.\n"
        }
        if formats != nil {
            text += "\nThe model has several formats, which 'espalier inspect' shows.\n"
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
