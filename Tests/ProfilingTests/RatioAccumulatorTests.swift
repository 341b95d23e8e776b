import Profiling
import Tensors
import Testing

/// A simulated machine whose speed drifts, varies randomly, and drops for short times.
private struct DriftingMachine {
    private var random: SplitMix64
    private var now = 0.0
    private var burstEnd = 0.0
    private var nextBurst = 0.5
    /// The time in seconds in which the machine becomes 30 % slower.
    let length: Double

    init(seed: UInt64, length: Double) {
        random = SplitMix64(seed: seed)
        self.length = length
    }

    mutating func run(_ work: Double) -> Sample {
        if now > nextBurst {
            burstEnd = now + Double.random(in: 0.02...0.2, using: &random)
            nextBurst = burstEnd + Double.random(in: 0.2...1.5, using: &random)
        }
        let drift = 1 / (1 - 0.3 * min(1, now / length))
        let burst = now < burstEnd ? 1.6 : 1
        let jitter = 1 + 0.02 * Double.random(in: -1...1, using: &random)
        let seconds = work * drift * burst * jitter
        now += seconds
        let isDisturbed = Double.random(in: 0..<1, using: &random) < 0.03
        return Sample(seconds: isDisturbed ? 2 * seconds : seconds, isDisturbed: isDisturbed)
    }
}

@Suite("RatioAccumulator")
struct RatioAccumulatorTests {
    private let dense = 0.012
    private let works = (1...40).map { 0.0002 * Double($0) }

    /// Returns the largest relative error of the ratios of an item's time to the dense model's time.
    private func worst(_ ratios: [Double]) -> Double {
        zip(ratios, works).map { abs($0 / ($1 / dense) - 1) }.max() ?? .infinity
    }

    private func interleaved(seed: UInt64, rounds: Int) -> RatioAccumulator {
        var machine = DriftingMachine(seed: seed, length: 9)
        var order = Interleaver(seed: seed)
        var accumulator = RatioAccumulator(count: works.count)
        for _ in 0..<rounds {
            for block in order.nextRound(of: works.indices) {
                accumulator.time(block) { step in
                    switch step {
                    case .reference: machine.run(dense)
                    case .item(let index): machine.run(works[index])
                    }
                }
            }
        }
        return accumulator
    }

    private func naive(seed: UInt64, rounds: Int) -> [Double] {
        var machine = DriftingMachine(seed: seed, length: 9)
        let reference = Statistics((0..<rounds).map { _ in machine.run(dense).seconds }).median
        return works.map { work in
            Statistics((0..<rounds).map { _ in machine.run(work).seconds }).median / reference
        }
    }

    @Test(
        "ratios are correct on a drifting machine where simple timing fails", arguments: 1...8)
    func drift(seed: Int) {
        let accumulator = interleaved(seed: UInt64(seed), rounds: 40)
        let ratios = works.indices.map { accumulator.ratios(of: $0).statistics.median }
        #expect(worst(ratios) < 0.015)
        #expect(worst(naive(seed: UInt64(seed), rounds: 40)) > 0.1)
    }

    @Test(
        "a timing is the ratio times the reference's time, and items with wide intervals are listed"
    )
    func timings() throws {
        let accumulator = interleaved(seed: 3, rounds: 40)
        let reference = try #require(accumulator.referenceTiming)
        let timing = try #require(accumulator.timing(of: 20))
        #expect(abs(timing.seconds / reference.seconds / (works[20] / dense) - 1) < 0.015)
        #expect(timing.low <= timing.seconds && timing.seconds <= timing.high)
        #expect(timing.samples + accumulator.ratios(of: 20).disturbedRounds == 40)
        #expect(accumulator.unconverged(relativeWidth: 0.1) == [])
        #expect(accumulator.unconverged(relativeWidth: 0) == Array(works.indices))
    }

    @Test("an item that was never timed has no timing")
    func empty() {
        let accumulator = RatioAccumulator(count: 2)
        #expect(accumulator.timing(of: 1) == nil)
        #expect(accumulator.referenceTiming == nil)
        #expect(accumulator.unconverged(relativeWidth: 9) == [0, 1])
    }

    @Test("if a timing throws an error, the timings of its group are discarded")
    func failure() {
        struct Failure: Error {}
        var accumulator = RatioAccumulator(count: 1)
        #expect(throws: Failure.self) {
            try accumulator.time([.item(0), .reference]) { step throws(Failure) in
                if step == .reference { throw Failure() }
                return Sample(seconds: 1)
            }
        }
        #expect(accumulator.ratios(of: 0).ratios == [])
    }
}
