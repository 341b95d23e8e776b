import Profiling
import Tensors
import Testing

@Suite("Statistics")
struct StatisticsTests {
    @Test("medians, quantiles and deviations agree with values computed by hand")
    func byHand() {
        let odd = Statistics([9, 1, 2, .nan, 4, 3, .infinity])
        #expect(odd.count == 5)
        #expect(odd.median == 3)
        #expect(odd.quantile(0) == 1)
        #expect(odd.quantile(1) == 9)
        #expect(odd.quantile(2) == 9)
        #expect(odd.quantile(0.875) == 6.5)
        #expect(odd.medianAbsoluteDeviation == 1)
        #expect(Statistics([4, 1]).median == 2.5)
    }

    @Test("an empty list of values does not trap")
    func empty() {
        let nothing = Statistics([])
        #expect(nothing.median.isNaN)
        #expect(nothing.medianAbsoluteDeviation.isNaN)
        #expect(nothing.medianInterval() == nil)
        #expect(!nothing.isConverged(relativeWidth: 1))
        #expect(Timing(nothing) == nil)
    }

    /// The ranks are from published tables of distribution-free 95 % intervals of the median.
    @Test(
        "the ranks of the interval agree with published tables",
        arguments: [6: 1, 8: 1, 9: 2, 10: 2, 15: 4, 20: 6, 25: 8, 30: 10, 40: 14, 50: 18, 100: 40])
    func ranks(count: Int, rank: Int) {
        let interval = Statistics((1...count).map(Double.init)).medianInterval()
        #expect(interval == Double(rank)...Double(count + 1 - rank))
    }

    @Test("fewer than six values have no interval, and thousands of values have one")
    func extremeCounts() throws {
        #expect(Statistics([1, 2, 3, 4, 5]).medianInterval() == nil)
        let many = try #require(Statistics((1...10000).map(Double.init)).medianInterval())
        #expect(abs(many.lowerBound - (5000 - 1.96 * 50)) < 3)
        #expect(abs(many.upperBound - (5000 + 1.96 * 50)) < 3)
    }

    @Test("on a skewed distribution, the interval contains the true median in 95 % of cases")
    func coverage() {
        var random = SplitMix64(seed: 7)
        var hits = 0
        for _ in 0..<1000 {
            let values = (0..<21).map { _ in
                let uniform = Double.random(in: 0..<1, using: &random)
                return uniform * uniform * uniform
            }
            if Statistics(values).medianInterval()?.contains(0.125) == true { hits += 1 }
        }
        #expect(hits > 930)
    }

    @Test("values have converged exactly if the interval has at most the requested width")
    func converged() {
        let values = Statistics([99, 100, 100, 100, 100, 101])
        #expect(values.isConverged(relativeWidth: 0.02))
        #expect(!values.isConverged(relativeWidth: 0.019))
        #expect(!Statistics([100, 100, 100, 100, 100]).isConverged(relativeWidth: 1))
    }

    @Test("impossible pairs are removed, and tainted pairs if enough clean pairs remain")
    func pairs() {
        var pairs = PairedRatios()
        pairs.add(reference: Sample(seconds: 0), candidate: Sample(seconds: 1))
        pairs.add(reference: Sample(seconds: 4), candidate: Sample(seconds: .nan))
        pairs.add(reference: Sample(seconds: 2), candidate: Sample(seconds: 9, isDisturbed: true))
        for _ in 0..<5 { pairs.add(reference: Sample(seconds: 2), candidate: Sample(seconds: 1)) }
        #expect(pairs.ratios == [0.5, 0.5, 0.5, 0.5, 0.5, 4.5])
        #expect(pairs.areDisturbed)
        pairs.add(reference: Sample(seconds: 2), candidate: Sample(seconds: 1))
        #expect(pairs.ratios == [0.5, 0.5, 0.5, 0.5, 0.5, 0.5])
        #expect(!pairs.areDisturbed && pairs.disturbedRounds == 1)
    }
}
