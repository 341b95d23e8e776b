/// The seconds of one component at each measured level; a removed branch takes none.
public struct LatencyCurve: Hashable, Sendable {
    /// One measured level.
    public struct Entry: Codable, Hashable, Sendable {
        /// The units kept.
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

    /// The measured levels, from the full component down; level 0 is not among them.
    public let entries: [Entry]

    /// Creates a curve; entries are sorted, and any of level 0 is dropped.
    public init(entries: [Entry]) {
        self.entries = entries.filter { $0.level > 0 }.sorted { $0.level > $1.level }
    }

    /// Wraps entries as they stand, in whatever order.
    init(unchecked entries: [Entry]) {
        self.entries = entries
    }

    /// The seconds of a component that keeps some units: measured, or linear between neighbours.
    ///
    /// Below the least measured level it is that level's seconds, for a branch costs something as
    /// long as it exists; above the greatest it grows in proportion.
    ///
    /// - Complexity: O(log levels)
    public func seconds(keeping level: Int) -> Double {
        guard level > 0, let greatest = entries.first, let least = entries.last else { return 0 }
        guard level < greatest.level else {
            return greatest.seconds * Double(level) / Double(greatest.level)
        }
        guard level > least.level else { return least.seconds }
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

    /// The curve with the seconds nearest to the measured ones that never rise as units go.
    ///
    /// Isotonic regression by pooling adjacent violators, weighted by samples: neighbours that
    /// noise, or a step of the hardware, has put in the wrong order share their mean. Intervals
    /// and sample counts stay as measured.
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

    /// The curve to search and predict by: the likeliest one, made to never rise as units go.
    public var cleaned: LatencyCurve { smooth.monotone }

    /// The levels worth choosing, descending, 0 last: each is faster than every larger one.
    public var usefulLevels: [Int] { cleaned.fallingLevels }

    /// The levels that are faster than every larger one, as the curve stands, and 0.
    var fallingLevels: [Int] {
        var levels: [Int] = []
        var fastest = Double.infinity
        for entry in entries where entry.seconds < fastest {
            levels.append(entry.level)
            fastest = entry.seconds
        }
        return levels + [0]
    }

    /// The measured levels that a larger one matches or beats, noise smoothed; never choose them.
    public var dominatedLevels: [Int] {
        let useful = Set(usefulLevels)
        return entries.map(\.level).filter { !useful.contains($0) }
    }
}

extension LatencyCurve: Codable {
    /// Reads the entries in the order they have.
    public init(from decoder: any Decoder) throws {
        entries = try [Entry](from: decoder)
    }

    /// Writes the entries as one array.
    public func encode(to encoder: any Encoder) throws {
        try entries.encode(to: encoder)
    }
}
