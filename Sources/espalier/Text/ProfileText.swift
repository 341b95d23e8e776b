import Console
import Pipeline
import Profiling
import Reporting
import Transformers

/// A profile as text for people, at most 80 columns wide.
struct ProfileText {
    private let profile: LatencyTable

    init(_ profile: LatencyTable) {
        self.profile = profile
    }

    /// The figures of the complete model, and some levels of each kind of component.
    var summary: String {
        let levels = ComponentKind.allCases.map { kind in
            "\n\(title(of: kind))\n\(table(of: kind, rows: 6))"
        }
        return heading + levels.joined() + verification
    }

    /// The figures of the complete model, and all levels of each kind of component as table and
    /// plot.
    var full: String {
        let parts = ComponentKind.allCases.map { kind in
            "\n\(title(of: kind))\n\(table(of: kind, rows: .max))\n\(plot(of: kind))"
        }
        return heading + parts.joined() + verification
    }

    private var verification: String {
        profile.verification.map { "\n" + VerificationText($0, dense: profile.dense).full } ?? ""
    }

    private var heading: String {
        """
        \(profile.machine.brand) (\(profile.environment.machine))
        \(profile.environment.summary)
        \(profile.model.map { "Model             \($0)\n" } ?? "")\
        Dense model       \(time(profile.dense))
        Base              \(time(profile.base)), which no plan changes
        Greatest speedup  \(Figures.ratio(profile.maximumSpeedup))

        """
    }

    private func title(of kind: ComponentKind) -> String {
        switch kind {
        case .attention: "One attention block, by key-value groups kept"
        case .feedForward: "One feed-forward block, by neurons kept"
        }
    }

    private func time(_ timing: Timing) -> String {
        "\(Figures.duration(timing.seconds, digits: 3)) ± \(Figures.percent(timing.spread / 2))"
    }

    /// A table of the measured levels.
    ///
    /// If there are more levels than rows, the table has levels at even distances.
    private func table(of kind: ComponentKind, rows: Int) -> String {
        guard let curve = profile.curves[kind], let full = curve.entries.first else {
            return "(none)\n"
        }
        let dominated = Set(curve.dominatedLevels)
        var table = Table("level", "ms", "±", "of full", "")
        let count = min(rows, curve.entries.count)
        for row in 0..<count {
            let entry = curve.entries[
                count == 1 ? 0 : row * (curve.entries.count - 1) / (count - 1)]
            table.add(
                "\(entry.level)", Figures.significant(entry.seconds * 1e3, digits: 3),
                percent((entry.high - entry.low) / 2 / entry.seconds),
                percent(entry.seconds / full.seconds),
                dominated.contains(entry.level) ? "dominated" : "")
        }
        return table.rendered()
    }

    /// A fraction as a percentage; the value may be very large because of noise.
    private func percent(_ fraction: Double) -> String {
        fraction < 10 ? Figures.percent(fraction) : ">999%"
    }

    private func plot(of kind: ComponentKind) -> String {
        let entries = profile.curves[kind]?.entries ?? []
        let points = [(x: 0.0, y: 0.0)] + entries.map { (x: Double($0.level), y: $0.seconds * 1e3) }
        return TerminalPlot(points, xLabel: "units kept", yLabel: "ms").rendered(width: 76)
    }
}
