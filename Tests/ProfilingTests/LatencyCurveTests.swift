import Profiling
import Tensors
import Testing

@Suite("LatencyCurve")
struct LatencyCurveTests {
    @Test("is exact where measured and linear between")
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

    /// The greatest of the least weighted means: isotonic regression's closed form.
    private func isotonic(_ entries: [LatencyCurve.Entry]) -> [Double] {
        func mean(_ range: ClosedRange<Int>) -> Double {
            let weight = entries[range].reduce(0.0) { $0 + Double($1.samples) }
            return entries[range].reduce(0) { $0 + $1.seconds * Double($1.samples) } / weight
        }
        return entries.indices.map { i in
            (0...i).map { j in (i..<entries.count).map { mean(j...$0) }.min() ?? 0 }.max() ?? 0
        }
    }

    @Test("is cleaned to the closed form of isotonic regression", arguments: UInt64(0)..<100)
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

    @Test("calls useful exactly the levels faster than all larger ones", arguments: UInt64(0)..<50)
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

    @Test("dominates the lower end of a plateau")
    func plateau() {
        let curve = curve([128: 4, 96: 3, 64: 3, 32: 3.5, 16: 1])
        #expect(curve.usefulLevels == [128, 96, 16, 0])
        #expect(curve.dominatedLevels == [64, 32])
    }
}
