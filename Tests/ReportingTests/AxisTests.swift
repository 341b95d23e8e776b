import Testing

@testable import Reporting

private let linearRanges: [(Double, Double)] = [
    (0, 1), (0, 1536), (0, 0.00037), (1, 2.02), (21, 44), (-3, 5), (0, 0), (1e9, 1e9 + 1),
]

private let logarithmicRanges: [(Double, Double)] = [
    (18, 400), (20, 1e5), (3, 4), (1e-4, 1e300),
]

@Suite struct AxisTests {
    @Test(
        "there are few ticks, which are distinct, ascending and in range", arguments: linearRanges)
    func linear(low: Double, high: Double) {
        let axis = Axis(low, high, from: 0, to: 100)
        #expect((2...11).contains(axis.ticks.count))
        #expect(axis.ticks == axis.ticks.sorted())
        #expect(Set(axis.ticks.map(axis.text)).count == axis.ticks.count)
        for tick in axis.ticks { #expect((-0.01...100.01).contains(axis.position(tick))) }
    }

    @Test(
        "a required tick replaces round ticks near it",
        arguments: [(1.0, 18.2), (1, 8.6), (1, 1.31), (0.94, 2.1), (1, 2)])
    func always(low: Double, high: Double) {
        let axis = Axis(low, high, always: [1], from: 0, to: 300)
        #expect(axis.ticks.contains(1))
        for (one, next) in zip(axis.ticks, axis.ticks.dropFirst()) {
            #expect(axis.position(next) - axis.position(one) > 25)
        }
        #expect(axis.ticks.count > 2)
    }

    @Test("ticks of indivisible units are integers and include the size of the dense model")
    func whole() {
        #expect(Axis(0, 2, always: [2], isWhole: true, from: 46, to: 388).ticks == [0, 1, 2])
        #expect(Axis(0, 96, always: [96], isWhole: true, from: 46, to: 388).ticks == [0, 50, 96])
        #expect(
            Axis(0, 1536, always: [1536], isWhole: true, from: 46, to: 388).ticks
                == [0, 500, 1000, 1536])
    }

    @Test("the ticks of a logarithmic axis have short texts, which are distinct")
    func powers() {
        let small = Axis(2e-7, 8, isLogarithmic: true, from: 0, to: 100)
        #expect(small.ticks.map(small.text).prefix(4) == ["10⁻⁶", "10⁻⁵", "10⁻⁴", "0.001"])
        let narrow = Axis(1.5e-5, 1e-4, isLogarithmic: true, from: 0, to: 100)
        #expect(narrow.ticks.map(narrow.text) == ["2·10⁻⁵", "5·10⁻⁵", "10⁻⁴"])
        let large = Axis(20, 1e300, isLogarithmic: true, from: 0, to: 100)
        #expect(large.ticks.map(large.text).first == "100" && large.text(1e12) == "10¹²")
        for axis in [small, narrow, large] {
            #expect(Set(axis.ticks.map(axis.text)).count == axis.ticks.count)
            // The texts have room on the left of a plot.
            for tick in axis.ticks { #expect(axis.text(tick).count <= 6) }
        }
    }

    @Test("logarithmic ticks are in range", arguments: logarithmicRanges)
    func logarithmic(low: Double, high: Double) {
        let axis = Axis(low, high, isLogarithmic: true, from: 0, to: 100)
        #expect(!axis.ticks.isEmpty)
        for tick in axis.ticks { #expect((-0.1...100.1).contains(axis.position(tick))) }
        #expect(abs(axis.position((low * high).squareRoot()) - 50) < 1e-6)
    }
}
