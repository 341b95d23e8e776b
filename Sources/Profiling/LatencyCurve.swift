/// The seconds of one component at each measured level.
///
/// The time of a removed component is 0.
public struct LatencyCurve: Hashable, Sendable {
    /// One measured level.
    public struct Entry: Codable, Hashable, Sendable {
        /// The number of kept units.
        public var level: Int
        /// The median seconds.
        public var seconds: Double
        /// The lower end of the median's confidence interval.
        public var low: Double
        /// The upper end of the median's confidence interval.
        public var high: Double
        /// The number of samples.
        public var samples: Int

        /// Creates an entry.
        public init(level: Int, timing: Timing) {
            self.level = level
            seconds = timing.seconds
            low = timing.low
            high = timing.high
            samples = timing.samples
        }
    }

    /// The measured levels, descending from the full component, without level 0.
    public let entries: [Entry]

    /// Creates a curve.
    ///
    /// Entries are sorted, and an entry of level 0 is ignored.
    public init(entries: [Entry]) {
        self.entries = entries.filter { $0.level > 0 }.sorted { $0.level > $1.level }
    }

    /// Creates a curve from entries without sorting or changing them.
    init(unchecked entries: [Entry]) {
        self.entries = entries
    }

    /// Returns the seconds of a component that keeps `level` units: measured, or interpolated
    /// linearly.
    ///
    /// Below the lowest measured level it is the time of that level, because the time of a
    /// component does not approach 0. Above the highest level the time is proportional to the
    /// level.
    ///
    /// - Complexity: O(log levels)
    public func seconds(keeping level: Int) -> Double {
        guard level > 0, let largest = entries.first, let smallest = entries.last else { return 0 }
        guard level < largest.level else {
            return largest.seconds * Double(level) / Double(largest.level)
        }
        guard level > smallest.level else { return smallest.seconds }
        var above = 0
        var below = entries.count - 1
        while below - above > 1 {
            let middle = (above + below) / 2
            if entries[middle].level >= level { above = middle } else { below = middle }
        }
        let (upper, lower) = (entries[above], entries[below])
        let weight = Double(level - lower.level) / Double(upper.level - lower.level)
        return min(upper.seconds, lower.seconds + (upper.seconds - lower.seconds) * weight)
    }

    /// The curve that is nearest to the measured seconds and never rises when units are removed.
    ///
    /// This is isotonic regression by pooling adjacent violators, weighted by samples. Neighbours
    /// in the wrong order, because of noise or a step of the hardware, are replaced by their mean.
    /// Intervals and sample counts stay as measured.
    ///
    /// Source: Barlow et al., "Statistical inference under order restrictions" (1972).
    public var monotone: LatencyCurve {
        var pools: [(seconds: Double, weight: Double, count: Int)] = []
        for entry in entries.reversed() {
            var pool = (seconds: entry.seconds, weight: Double(max(1, entry.samples)), count: 1)
            while let last = pools.last, last.seconds >= pool.seconds {
                pools.removeLast()
                let weight = last.weight + pool.weight
                pool = (
                    last.seconds + (pool.seconds - last.seconds) * (pool.weight / weight), weight,
                    last.count + pool.count
                )
            }
            pools.append(pool)
        }
        var cleaned = entries
        var index = entries.count
        for pool in pools {
            for _ in 0..<pool.count {
                index -= 1
                cleaned[index].seconds = pool.seconds
            }
        }
        return LatencyCurve(unchecked: cleaned)
    }

    /// The curve for search and prediction: ``smooth``, then ``monotone``.
    public var cleaned: LatencyCurve { smooth.monotone }

    /// The levels that a search can choose, descending and with 0 at the end.
    ///
    /// Each level is faster than all larger levels.
    public var usefulLevels: [Int] { cleaned.fallingLevels }

    /// The levels of this curve that are faster than all larger levels, and 0.
    var fallingLevels: [Int] {
        var levels: [Int] = []
        var fastest = Double.infinity
        for entry in entries where entry.seconds < fastest {
            levels.append(entry.level)
            fastest = entry.seconds
        }
        return levels + [0]
    }

    /// The measured levels that are not faster than a larger level after smoothing.
    ///
    /// A search should not choose them.
    public var dominatedLevels: [Int] {
        let useful = Set(usefulLevels)
        return entries.map(\.level).filter { !useful.contains($0) }
    }
}

extension LatencyCurve: Codable {
    /// Reads the entries in the stored order.
    public init(from decoder: any Decoder) throws {
        entries = try [Entry](from: decoder)
    }

    /// Writes the entries as one array.
    public func encode(to encoder: any Encoder) throws {
        try entries.encode(to: encoder)
    }
}
