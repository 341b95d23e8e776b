import Profiling
import Tensors
import Testing

@Suite("LatencyCurve")
struct LatencyCurveTests {
    @Test("a curve has the measured values at measured levels and is linear between them")
    func interpolation() {
        let curve = curve([32: 1, 96: 3, 64: 2.5, 0: 7])
        #expect(curve.entries.map(\.level) == [96, 64, 32])
        #expect(curve.seconds(keeping: 96) == 3)
        #expect(curve.seconds(keeping: 64) == 2.5)
        #expect(curve.seconds(keeping: 32) == 1)
        #expect(curve.seconds(keeping: 80) == 2.75)
        #expect(curve.seconds(keeping: 40) == 1.375)
        #expect(curve.seconds(keeping: 0) == 0)
        #expect(curve.seconds(keeping: -1) == 0)
        #expect(curve.seconds(keeping: 1) == 1)
        #expect(curve.seconds(keeping: 192) == 6)
        #expect(LatencyCurve(entries: []).seconds(keeping: 5) == 0)
    }

    private func randomCurve(_ random: inout SplitMix64) -> LatencyCurve {
        let levels = (0..<Int.random(in: 1...12, using: &random)).map { 8 * ($0 + 1) }
        return LatencyCurve(
            entries: levels.map { level in
                let seconds = Double(level) + Double.random(in: 0...30, using: &random)
                let samples = Int.random(in: 1...5, using: &random)
                return LatencyCurve.Entry(
                    level: level,
                    timing: Timing(seconds: seconds, low: seconds, high: seconds, samples: samples))
            })
    }

    /// Returns isotonic regression in closed form: the maximum of the minima of weighted means.
    private func isotonic(_ entries: [LatencyCurve.Entry]) -> [Double] {
        func mean(_ range: ClosedRange<Int>) -> Double {
            let weight = entries[range].reduce(0.0) { $0 + Double($1.samples) }
            return entries[range].reduce(0) { $0 + $1.seconds * Double($1.samples) } / weight
        }
        return entries.indices.map { i in
            (0...i).map { j in (i..<entries.count).map { mean(j...$0) }.min() ?? 0 }.max() ?? 0
        }
    }

    @Test(
        "a cleaned curve equals the closed form of isotonic regression", arguments: UInt64(0)..<100)
    func cleaning(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let curve = randomCurve(&random)
        let cleaned = curve.monotone
        let want = isotonic(curve.entries.reversed())
        for (entry, seconds) in zip(cleaned.entries.reversed(), want) {
            #expect(abs(entry.seconds - seconds) < 1e-9)
        }
        #expect(cleaned.entries.map(\.low) == curve.entries.map(\.low))
        #expect(cleaned.monotone == cleaned)
        for level in 0..<100 {
            #expect(cleaned.seconds(keeping: level) <= cleaned.seconds(keeping: level + 1))
        }
    }

    @Test(
        "a level is useful exactly if it is faster than all larger levels",
        arguments: UInt64(0)..<50)
    func useful(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let curve = randomCurve(&random)
        let cleaned = curve.monotone.entries
        let want = cleaned.indices.filter { i in
            cleaned[..<i].allSatisfy { $0.seconds > cleaned[i].seconds }
        }
        #expect(curve.usefulLevels == want.map { cleaned[$0].level } + [0])
        #expect(
            Set(curve.dominatedLevels).union(curve.usefulLevels)
                == Set(curve.entries.map(\.level) + [0]))
        #expect(Set(curve.dominatedLevels).isDisjoint(with: curve.usefulLevels))
    }

    @Test("only the upper end of a plateau is useful")
    func plateau() {
        let curve = curve([128: 4, 96: 3, 64: 3, 32: 3.5, 16: 1])
        #expect(curve.usefulLevels == [128, 96, 16, 0])
        #expect(curve.dominatedLevels == [64, 32])
    }

    /// Returns forty levels of a curve with noise.
    ///
    /// The intervals show the deviation of the noise.
    private func noisy(
        _ random: inout SplitMix64, deviation: Double, _ seconds: (Double) -> Double
    ) -> (noisy: LatencyCurve, truth: [Double]) {
        let levels = (1...40).reversed().map { 32 * $0 }
        let truth = levels.map { seconds(Double($0) / 1280) }
        let entries = zip(levels, truth).map { level, truth in
            let median = truth + deviation * normal(&random)
            let half = 1.96 * deviation
            return LatencyCurve.Entry(
                level: level,
                timing: Timing(
                    seconds: median, low: median - half, high: median + half, samples: 9))
        }
        return (LatencyCurve(entries: entries), truth)
    }

    private func normal(_ random: inout SplitMix64) -> Double {
        (0..<12).reduce(-6) { sum, _ in sum + Double.random(in: 0..<1, using: &random) }
    }

    private func squaredError(_ curve: LatencyCurve, _ truth: [Double]) -> Double {
        zip(curve.entries, truth).reduce(0) {
            $0 + ($1.0.seconds - $1.1) * ($1.0.seconds - $1.1)
        }
    }

    @Test("smoothing a noisy convex curve reduces the error", arguments: UInt64(0)..<20)
    func smoothing(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let (curve, truth) = noisy(&random, deviation: 0.05) { 0.1 + 0.6 * $0 + 0.3 * $0 * $0 }
        let smooth = curve.smooth
        #expect(squaredError(smooth, truth) < squaredError(curve, truth) / 3)
        #expect(smooth.entries.map(\.low) == curve.entries.map(\.low))
    }

    @Test(
        "smoothing does not change a straight line or a curve without noise",
        arguments: UInt64(0)..<5)
    func unchanged(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let line = LatencyCurve(
            entries: [96, 64, 48, 16].map {
                LatencyCurve.Entry(level: $0, timing: timing(Double($0)))
            })
        for (smooth, entry) in zip(line.smooth.entries, line.entries) {
            #expect(abs(smooth.seconds - entry.seconds) < 1e-9)
        }
        let certain = randomCurve(&random)
        #expect(certain.smooth == certain)
    }

    @Test(
        "smoothing keeps hardware steps that are larger than the noise", arguments: UInt64(0)..<20)
    func steps(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let (curve, truth) = noisy(&random, deviation: 0.002) { ($0 * 5).rounded(.up) / 5 }
        let smooth = curve.smooth
        for (entry, truth) in zip(smooth.entries, truth) {
            #expect(abs(entry.seconds - truth) < 0.02)
        }
    }

    @Test("three levels are smoothed to values that were computed by hand")
    func threeLevels() {
        let entries = [(3, 3.0), (2, 1.0), (1, 1.0)].map { level, seconds in
            LatencyCurve.Entry(
                level: level,
                timing: Timing(
                    seconds: seconds, low: seconds - 1.96, high: seconds + 1.96, samples: 9))
        }
        // The contrast 3 − 2·1 + 1 = 2 has the variance 6, above 2² = 4: a line is most likely.
        let smooth = LatencyCurve(entries: entries).smooth.entries.map(\.seconds)
        for (smooth, want) in zip(smooth, [8.0 / 3, 5.0 / 3, 2.0 / 3]) {
            #expect(abs(smooth - want) < 1e-9)
        }
    }
}
