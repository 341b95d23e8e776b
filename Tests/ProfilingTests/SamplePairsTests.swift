import Tensors
import Testing

@testable import Profiling

/// Two models on a machine where other programs slow down the larger model more.
private struct BusyMachine {
    /// The seconds of the two models if no other program runs.
    static let (model, dense) = (0.010, 0.015)
    static let speedup = 1.5

    /// The fraction of the time in which other programs run.
    var busy: Double
    /// The factor by which other programs slow down the smaller model.
    var modelSlowdown = 1.15
    /// The factor by which other programs slow down the larger model.
    var denseSlowdown = 1.30
    /// Whether the process clock shows the time that other programs took.
    var showsLostTime = false

    func pairs(_ count: Int, seed: UInt64) -> SamplePairs {
        var random = SplitMix64(seed: seed)
        var pairs = SamplePairs()
        var isBusy = false
        for round in 0..<count {
            if round % 10 == 0 { isBusy = Double.random(in: 0..<1, using: &random) < busy }
            func sample(_ seconds: Double, _ slowdown: Double) -> Sample {
                let jitter = 1 + 0.02 * Double.random(in: -1...1, using: &random)
                return Sample(
                    seconds: seconds * jitter * (isBusy ? slowdown : 1),
                    isDisturbed: isBusy && showsLostTime)
            }
            pairs.add(
                model: sample(Self.model, modelSlowdown), dense: sample(Self.dense, denseSlowdown))
        }
        return pairs
    }
}

@Suite("SamplePairs")
struct SamplePairsTests {
    @Test(
        "the speedup of a quiet machine is found although the machine is busy most of the time",
        arguments: 1...8)
    func busy(seed: Int) throws {
        let reading = try #require(
            BusyMachine(busy: 0.6).pairs(400, seed: UInt64(seed)).comparison())
        #expect(abs(reading.speedup / BusyMachine.speedup - 1) < 0.005)
        #expect(reading.interval.contains(BusyMachine.speedup))
        #expect(reading.interval.upperBound - reading.interval.lowerBound < 0.03)
        #expect(abs(reading.dense.seconds / BusyMachine.dense - 1) < 0.01)
    }

    @Test("samples that lost processor time are removed, few or many", arguments: [0.3, 0.9])
    func tainted(busy: Double) throws {
        var machine = BusyMachine(busy: busy)
        machine.showsLostTime = true
        (machine.modelSlowdown, machine.denseSlowdown) = (3, 1.2)
        let reading = try #require(machine.pairs(600, seed: 1).comparison())
        #expect(!reading.isDisturbed)
        #expect(abs(reading.speedup / BusyMachine.speedup - 1) < 0.01)
    }

    @Test("the result says if the machine was never quiet")
    func neverQuiet() throws {
        let pairs = BusyMachine(busy: 1).pairs(200, seed: 1)
        let alone = try #require(pairs.comparison())
        #expect(alone.speedup > 1.15 * BusyMachine.speedup * 0.97)
        let reading = try #require(pairs.comparison(quietDense: BusyMachine.dense))
        #expect(reading.isDisturbed)
        #expect(reading.interval.contains(BusyMachine.speedup))

        var machine = BusyMachine(busy: 1)
        machine.showsLostTime = true
        let tainted = try #require(machine.pairs(200, seed: 1).comparison())
        #expect(tainted.isDisturbed)
    }

    @Test("the interval contains both speedups of a machine that changes once")
    func change() throws {
        var pairs = SamplePairs()
        for round in 0..<400 {
            let jitter = 1 + 0.004 * Double(round % 5)
            let slow = round < 200 ? 1 : 1.04
            pairs.add(
                model: Sample(seconds: BusyMachine.model * jitter),
                dense: Sample(seconds: BusyMachine.dense * jitter * slow))
        }
        let reading = try #require(pairs.comparison())
        #expect(reading.interval.lowerBound <= 1.501 && reading.interval.upperBound >= 1.559)
    }

    @Test("there is no result without samples, and a wide interval with few samples")
    func few() throws {
        #expect(SamplePairs().comparison() == nil)
        var pairs = SamplePairs()
        pairs.add(model: Sample(seconds: .nan), dense: Sample(seconds: 1))
        #expect(pairs.comparison() == nil)
        for seconds in [1.0, 2, 3] {
            pairs.add(model: Sample(seconds: 1), dense: Sample(seconds: seconds))
        }
        let reading = try #require(pairs.comparison())
        #expect(reading.speedup == 2 && reading.interval == 1...3)
    }

    @Test("a quiet measurement replaces a disturbed one, and two quiet measurements are joined")
    func joined() {
        func comparison(_ speedup: Double, isDisturbed: Bool = false) -> Comparison {
            let timing = Timing(seconds: 1, low: 1, high: 1, samples: 9)
            return Comparison(
                model: timing, dense: timing, speedup: speedup,
                interval: speedup - 0.01...speedup + 0.01, isDisturbed: isDisturbed)
        }
        let both = comparison(1.54).joined(with: comparison(1.45))
        #expect(both.speedup == 1.45)
        #expect(both.interval == 1.44...1.55)
        let quiet = comparison(1.54, isDisturbed: true).joined(with: comparison(1.45))
        #expect(quiet.speedup == 1.45 && quiet.interval == 1.44...1.46 && !quiet.isDisturbed)
    }

    @Test("a disturbed dense model widens the interval by the size of the disturbance")
    func quietDense() {
        let timing = Timing(seconds: 1.122, low: 1.12, high: 1.13, samples: 9)
        let comparison = Comparison(
            model: timing, dense: timing, speedup: 1.5, interval: 1.49...1.51)
        #expect(!comparison.allowing(forQuietDense: 1.11).isDisturbed)
        let wide = comparison.allowing(forQuietDense: 1)
        #expect(wide.isDisturbed && wide.speedup == 1.5)
        #expect(abs(wide.interval.lowerBound - 1.49 / 1.1) < 1e-9)
        #expect(abs(wide.interval.upperBound - 1.51 * 1.1) < 1e-9)
    }
}
