import Foundation

/// Formats numbers as text, for reports and for the terminal.
public enum Figures {
    /// Formats a speedup, such as `1.27×`.
    public static func ratio(_ value: Double) -> String { decimal(value, 2) + "×" }

    /// Formats a target, such as `1.5×`, with at most three decimals and without trailing zeros.
    static func target(_ value: Double) -> String {
        let text = decimal(value, 3)
        let short = text.contains(".") ? text.reversed().drop { $0 == "0" } : text.reversed()[...]
        return String((short.first == "." ? short.dropFirst() : short).reversed()) + "×"
    }

    /// Formats the two ends of an interval, such as `1.25–1.29×`.
    static func interval(_ ends: [Double]) -> String {
        guard let low = ends.first, let high = ends.last else { return "–" }
        return "\(decimal(low, 2))–\(ratio(high))"
    }

    /// Returns the unit for times up to a maximum, and the number of these units in a second.
    static func unit(for maximum: Double) -> (scale: Double, name: String) {
        maximum >= 1 ? (1, "s") : maximum >= 1e-3 ? (1e3, "ms") : (1e6, "µs")
    }

    /// Formats a time in four significant digits, such as `12.34 ms`.
    static func time(_ seconds: Double) -> String {
        for (scale, unit) in [(1.0, "s"), (1e3, "ms"), (1e6, "µs"), (1e9, "ns")] {
            let value = seconds * scale
            guard abs(value) >= 0.9995 || unit == "ns" else { continue }
            let places = abs(value) < 9.9995 ? 3 : abs(value) < 99.995 ? 2 : 1
            return seconds == 0 ? "0 s" : "\(decimal(value, places)) \(unit)"
        }
        return "0 s"
    }

    /// Formats an elapsed time, such as `3.2 s` or `1 min 20 s`.
    static func elapsed(_ seconds: Double) -> String {
        guard seconds >= 59.95 else { return "\(decimal(seconds, 1)) s" }
        let whole = Int(min(seconds, 1e15).rounded())
        return "\(whole / 60) min \(whole % 60) s"
    }

    /// Formats a whole number with commas between thousands.
    static func count(_ value: Int) -> String {
        let digits = Array("\(value.magnitude)")
        let text = digits.indices.reduce(into: "") { text, index in
            if index > 0, (digits.count - index) % 3 == 0 { text += "," }
            text.append(digits[index])
        }
        return (value < 0 ? "−" : "") + text
    }

    /// Formats a size in memory, such as `812 MiB` or `1.24 GiB`.
    static func bytes(_ count: Int) -> String {
        let mebibytes = Double(count) / 1_048_576
        guard mebibytes >= 0.9995 else { return "\(decimal(mebibytes * 1024, 0)) KiB" }
        return mebibytes < 999.5
            ? "\(decimal(mebibytes, 0)) MiB" : "\(decimal(mebibytes / 1024, 2)) GiB"
    }

    /// Formats a fraction in percent, such as `94.2%`.
    public static func percent(_ fraction: Double) -> String { decimal(fraction * 100, 1) + "%" }

    /// Formats a relative change in percent with its sign, such as `+14.8%`.
    static func change(from old: Double, to new: Double) -> String {
        guard old != 0 else { return "–" }
        let text = percent((new - old) / old)
        return text.hasPrefix("−") || text == "0.0%" ? text : "+\(text)"
    }

    /// Formats a perplexity.
    ///
    /// A number below 1000 has two decimals. A larger number is rounded to a whole number, with
    /// commas between thousands.
    static func perplexity(_ value: Double) -> String {
        value < 1000 ? decimal(value, 2) : value < 1e15 ? count(Int(value.rounded())) : "> 10¹⁵"
    }

    /// Formats a number with a fixed number of decimals and a true minus sign.
    ///
    /// A number of 10¹² or more can only be an error, and is written with an exponent.
    static func decimal(_ value: Double, _ places: Int) -> String {
        let text = String(format: abs(value) < 1e12 ? "%.\(places)f" : "%.2e", value)
        let isNegative = text.hasPrefix("-") && text.contains { $0 != "0" && $0.isNumber }
        return (isNegative ? "−" : "") + text.drop { $0 == "-" }
    }
}
