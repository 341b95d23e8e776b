import Foundation

/// One axis of a plot: maps values to coordinates and chooses round ticks.
struct Axis {
    let low: Double
    let high: Double
    let isLogarithmic: Bool
    /// Values that always have a tick, such as the dense model's.
    let always: [Double]
    /// Whether values are whole numbers.
    let isWhole: Bool
    /// Coordinates of the low and the high end.
    let start: Double
    let end: Double

    /// Creates an axis.
    ///
    /// An empty range is widened. A logarithmic axis needs positive values.
    init(
        _ low: Double, _ high: Double, isLogarithmic: Bool = false, always: [Double] = [],
        isWhole: Bool = false, from start: Double, to end: Double
    ) {
        self.always = always
        self.isWhole = isWhole
        self.low = low
        self.high = high > low ? high : low + max(abs(low), 1)
        self.isLogarithmic = isLogarithmic && low > 0
        self.start = start
        self.end = end
    }

    /// Returns the coordinate of a value.
    func position(_ value: Double) -> Double {
        let fraction =
            isLogarithmic
            ? log(max(value, low * 1e-3) / low) / log(high / low) : (value - low) / (high - low)
        return start + (end - start) * fraction
    }

    /// About four round values within the range, or 1, 2 and 5 times powers of ten on a logarithmic
    /// axis, and the values that always have a tick.
    ///
    /// A round value is left out if its text would overlap with the text of a value that always has
    /// a tick.
    var ticks: [Double] {
        let fixed = always.filter { (low...high).contains($0) }
        let room = abs(end - start) * 0.09
        return
            (fixed
            + round.filter { tick in
                fixed.allSatisfy { abs(position($0) - position(tick)) > room }
            }).sorted()
    }

    private var round: [Double] {
        if isLogarithmic {
            let decades = Int(log10(low).rounded(.down))...Int(log10(high).rounded(.up))
            let all = decades.flatMap { decade -> [Double] in
                let power = pow(10, Double(decade))
                return [power, 2 * power, 5 * power]
            }.filter { $0 >= low * 0.999 && $0 <= high * 1.001 }
            if all.count > 7 { return all.filter { log10($0).rounded() == log10($0) } }
            if all.count > 2 { return all }
        }
        let first = (low / step).rounded(.up)
        return (0..<20).map { (first + Double($0)) * step }.prefix { $0 <= high + step * 1e-6 }
    }

    /// Returns the text of a tick, with enough decimals to distinguish the ticks.
    ///
    /// On a logarithmic axis, small and large numbers are written with a power of ten.
    func text(_ tick: Double) -> String {
        if isLogarithmic, round.count > 2, tick < 0.999e-3 || tick > 0.999e5 {
            return Self.scientific(tick)
        }
        let finest = isLogarithmic && round.count > 2 ? abs(tick) : step
        let places = max(0, -Int((log10(max(finest, 1e-12)) + 1e-9).rounded(.down)))
        return abs(tick) >= 10_000 && abs(tick) < 1e15 && places == 0
            ? Figures.count(Int(tick.rounded())) : Figures.decimal(tick, min(9, places))
    }

    /// Returns a positive number of one digit as `10⁻⁵` or `2·10⁻⁵`.
    private static func scientific(_ value: Double) -> String {
        let exponent = Int((log10(value) + 1e-9).rounded(.down))
        let digit = Int((value / pow(10, Double(exponent))).rounded())
        let digits = Array("⁰¹²³⁴⁵⁶⁷⁸⁹")
        let raised = "\(exponent.magnitude)".compactMap(\.wholeNumberValue).map { digits[$0] }
        return (digit == 1 ? "" : "\(digit)·") + "10" + (exponent < 0 ? "⁻" : "") + String(raised)
    }

    /// The distance of ticks: 1, 2 or 5 times a power of ten, at least a quarter of the range.
    private var step: Double {
        let rough = isWhole ? max(1, (high - low) / 4) : (high - low) / 4
        let power = pow(10, log10(rough).rounded(.down))
        let factor = [1.0, 2, 5, 10].first { $0 * power >= rough * 0.999 } ?? 10
        return factor * power
    }
}
