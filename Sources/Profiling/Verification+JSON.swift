extension Verification: Codable {
    private enum Key: String, CodingKey {
        case seed
        case plans
        case medianError
        case worstError
        case pairs
        case intervals
        case samples
        case branchesRemoved
    }

    /// Reads the plans; the errors are computed from them.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let pairs = try container.decode([[Double]].self, forKey: .pairs)
        let intervals = try container.decode([[Double]].self, forKey: .intervals)
        let samples = try container.decode([Int].self, forKey: .samples)
        let removed = try container.decode([Int].self, forKey: .branchesRemoved)
        guard !pairs.isEmpty,
            [intervals.count, samples.count, removed.count].allSatisfy({
                $0 == pairs.count
            }), (pairs + intervals).allSatisfy({ $0.count == 2 })
        else {
            throw ProfileError(
                field: "verification",
                problem: "its lists need equal lengths, an entry, and pairs of two numbers")
        }
        self.init(
            seed: try container.decode(UInt64.self, forKey: .seed),
            entries: pairs.indices.map { index in
                Entry(
                    predicted: pairs[index][0],
                    measured: Timing(
                        seconds: pairs[index][1], low: intervals[index][0],
                        high: intervals[index][1], samples: samples[index]),
                    branchesRemoved: removed[index])
            })
    }

    /// Writes one list for each value.
    ///
    /// It also writes the number of plans, the median error and the worst error, for people who
    /// read the file. Decoding ignores these three.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(seed, forKey: .seed)
        try container.encode(entries.count, forKey: .plans)
        try container.encode(medianError, forKey: .medianError)
        try container.encode(worstError, forKey: .worstError)
        let measured = entries.map(\.measured)
        try container.encode(entries.map { [$0.predicted, $0.measured.seconds] }, forKey: .pairs)
        try container.encode(measured.map { [$0.low, $0.high] }, forKey: .intervals)
        try container.encode(measured.map(\.samples), forKey: .samples)
        try container.encode(entries.map(\.branchesRemoved), forKey: .branchesRemoved)
    }
}
