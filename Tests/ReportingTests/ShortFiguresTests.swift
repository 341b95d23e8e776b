import Testing

@testable import Reporting

@Suite struct ShortFiguresTests {
    @Test(
        "durations have short units",
        arguments: [
            (0, "0 s"), (3.21e-9, "3.2 ns"), (45e-6, "45 µs"), (0.0032, "3.2 ms"),
            (0.032, "32 ms"), (0.32, "320 ms"), (0.9996, "1.0 s"), (3.21, "3.2 s"), (32, "32 s"),
            (59.4, "59 s"), (59.6, "1 min 0 s"), (80, "1 min 20 s"), (7500, "2 h 5 min"),
            (200_000, "2 d 7 h"), (-0.5, "-500 ms"), (.infinity, "unknown"),
        ])
    func duration(seconds: Double, expected: String) {
        #expect(Figures.duration(seconds) == expected)
    }

    @Test("sizes, counts, ratios and fractions are short")
    func others() {
        #expect(Figures.shortBytes(1023) == "1023 B")
        #expect(Figures.shortBytes(1024) == "1.0 KiB")
        #expect(Figures.shortBytes(1_288_490_189) == "1.2 GiB")
        #expect(Figures.shortBytes(300 << 20) == "300 MiB")
        #expect(Figures.shortBytes(1024 * 1024 - 1) == "1.0 MiB")
        #expect(Figures.shortBytes(.max) == "8.0 EiB")
        #expect(Figures.shortCount(9999) == "9999")
        #expect(Figures.shortCount(134_515_008) == "135 M")
        #expect(Figures.shortCount(999_999) == "1.00 M")
        #expect(Figures.ratio(1.2749) == "1.27×")
        #expect(Figures.percent(0.9421) == "94.2%")
        #expect(Figures.duration(0.0032449, digits: 3) == "3.24 ms")
    }

    @Test(
        "numbers have the requested significant digits",
        arguments: [
            (1234.5, 2, "1200"), (9.96, 2, "10"), (0.0996, 2, "0.10"), (0.00123, 2, "0.0012"),
            (99.96, 3, "100"), (-2.345, 3, "-2.35"), (.nan, 2, "unknown"),
        ])
    func significant(value: Double, digits: Int, expected: String) {
        #expect(Figures.significant(value, digits: digits) == expected)
    }
}
