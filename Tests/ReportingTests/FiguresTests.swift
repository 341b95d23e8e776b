import Testing

@testable import Reporting

@Suite struct FiguresTests {
    @Test("numbers have the format of a report")
    func numbers() {
        #expect(Figures.ratio(1.2749) == "1.27×")
        #expect(Figures.target(1.5) == "1.5×")
        #expect(Figures.target(2) == "2×")
        #expect(Figures.target(10) == "10×")
        #expect(Figures.target(1.125) == "1.125×")
        #expect(Figures.interval([1.251, 1.294]) == "1.25–1.29×")
        #expect(Figures.time(0) == "0 s")
        #expect(Figures.time(0.0123456) == "12.35 ms")
        #expect(Figures.time(0.9996) == "1.000 s")
        #expect(Figures.time(45.2e-6) == "45.20 µs")
        #expect(Figures.time(3e-10) == "0.300 ns")
        #expect(Figures.elapsed(131.9) == "2 min 12 s")
        #expect(Figures.count(134_515_008) == "134,515,008")
        #expect(Figures.count(-1000) == "−1,000")
        #expect(Figures.count(.min) == "−9,223,372,036,854,775,808")
        #expect(Figures.bytes(812_000_000) == "774 MiB")
        #expect(Figures.bytes(320_000) == "312 KiB" && Figures.bytes(0) == "0 KiB")
        #expect(Figures.bytes(1_931_000_000) == "1.80 GiB")
        #expect(Figures.change(from: 20, to: 21) == "+5.0%")
        #expect(Figures.change(from: 20, to: 19) == "−5.0%")
        #expect(Figures.change(from: 20, to: 20) == "0.0%")
        #expect(Figures.perplexity(12_345.6) == "12,346")
        #expect(Figures.decimal(-0.001, 2) == "0.00")
    }
}
