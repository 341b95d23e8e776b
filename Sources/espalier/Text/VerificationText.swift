import Console
import Profiling
import Reporting

/// A verification as text for people, at most 80 columns wide.
struct VerificationText {
    private let verification: Verification
    private let dense: Double

    init(_ verification: Verification, dense: Timing) {
        self.verification = verification
        self.dense = dense.seconds
    }

    /// All plans in a table, a plot of their errors over their speedups, and a line with the
    /// errors.
    var full: String {
        var table = Table("predicted", "measured", "±", "error", "speedup", "branches removed")
        for entry in verification.entries {
            table.add(
                Figures.duration(entry.predicted, digits: 4),
                Figures.duration(entry.measured.seconds, digits: 4),
                Figures.percent(entry.measured.spread / 2), signed(entry.error),
                Figures.ratio(dense / entry.measured.seconds), "\(entry.branchesRemoved)")
        }
        let errors = verification.entries.map {
            (x: dense / $0.measured.seconds, y: $0.error * 100)
        }
        let plot = TerminalPlot(errors, xLabel: "measured speedup", yLabel: "error, %")
        return """
            Random plans, measured as complete models
            \(table.rendered())
            \(plot.rendered(width: 76, height: 7))
            \(summary)

            """
    }

    /// A line with the errors.
    private var summary: String {
        "Prediction errors of \(verification.entries.count) random plans: median "
            + "\(Figures.percent(verification.medianError)), maximum "
            + "\(Figures.percent(verification.worstError))."
    }

    private func signed(_ error: Double) -> String {
        (error < 0 ? "−" : "+") + Figures.percent(abs(error))
    }
}
