import Foundation

/// Formats numbers with few digits, for the terminal.
extension Figures {
    /// Formats a time, such as `3.2 ms`, `32 s` or `1 min 20 s`.
    ///
    /// - Parameters:
    ///   - seconds: The time; below a nanosecond it shows as `0 s`.
    ///   - digits: Significant digits below a minute.
    /// - Returns: The text with its unit.
    public static func duration(_ seconds: Double, digits: Int = 2) -> String {
        guard seconds.isFinite else { return "unknown" }
        guard seconds >= 0 else { return "-" + duration(-seconds, digits: digits) }
        guard seconds >= 59.5 else {
            guard seconds >= 1e-9 else { return "0 s" }
            for (scale, unit) in [(1e9, "ns"), (1e6, "µs"), (1e3, "ms")] {
                let text = significant(seconds * scale, digits: digits)
                if (Double(text) ?? 0) < 1000 { return "\(text) \(unit)" }
            }
            return significant(seconds, digits: digits) + " s"
        }
        let whole = Int(min(seconds, 1e15).rounded())
        switch whole {
        case ..<3600: return "\(whole / 60) min \(whole % 60) s"
        case ..<86_400: return "\(whole / 3600) h \(whole % 3600 / 60) min"
        default: return "\(whole / 86_400) d \(whole % 86_400 / 3600) h"
        }
    }

    /// Formats a size in memory or on disk, such as `1.2 GiB`.
    public static func shortBytes(_ count: Int) -> String {
        guard count.magnitude >= 1024 else { return "\(count) B" }
        return scaled(Double(count), by: 1024, units: ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
    }

    /// Formats a number of things, such as `135 M`.
    public static func shortCount(_ count: Int) -> String {
        guard count.magnitude >= 10_000 else { return "\(count)" }
        return scaled(Double(count), by: 1000, units: ["k", "M", "G", "T", "P", "E"], digits: 3)
    }

    /// Formats a number rounded to significant digits, without an exponent.
    public static func significant(_ value: Double, digits: Int) -> String {
        guard value.isFinite else { return "unknown" }
        guard value != 0 else { return "0" }
        let exponent = Int(log10(abs(value)).rounded(.down))
        let scale = pow(10, Double(digits - 1 - exponent))
        let rounded = scale.isFinite && scale > 0 ? (value * scale).rounded() / scale : value
        let shown = rounded == 0 ? exponent : Int((log10(abs(rounded)) + 1e-12).rounded(.down))
        return String(format: "%.\(max(0, digits - 1 - shown))f", rounded)
    }

    /// Formats a value in the first unit in which its number is below `base`.
    ///
    /// The first unit stands for `base`, the next for `base` squared, and so on.
    private static func scaled(
        _ value: Double, by base: Double, units: [String], digits: Int = 2
    ) -> String {
        var value = value
        for (index, unit) in units.enumerated() {
            value /= base
            let whole = abs(value) >= pow(10, Double(digits))
            let text = whole ? String(format: "%.0f", value) : significant(value, digits: digits)
            if abs(Double(text) ?? 0) < base || index == units.count - 1 {
                return "\(text) \(unit)"
            }
        }
        return "\(value)"
    }
}
