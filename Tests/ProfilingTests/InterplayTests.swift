import Testing

@testable import Profiling

@Suite("Interplay")
struct InterplayTests {
    private let interplay = Interplay(
        knots: [(2, 2), (6, 4), (10, 10)].map { Interplay.Knot(sum: $0.0, seconds: $0.1) })

    @Test("the interplay is linear between knots and proportional outside the knots")
    func values() {
        #expect(interplay.seconds(ofSum: 4) == 3)
        #expect(interplay.seconds(ofSum: 6) == 4)
        #expect(interplay.seconds(ofSum: 8) == 7)
        #expect(interplay.seconds(ofSum: 1) == 1)
        #expect(interplay.seconds(ofSum: 20) == 20)
        #expect(Interplay().seconds(ofSum: 3.5) == 3.5)
    }

    @Test("the inverse returns the original sum", arguments: [0.5, 2, 3, 6, 7.25, 10, 30])
    func inverse(sum: Double) {
        #expect(abs(interplay.sum(ofSeconds: interplay.seconds(ofSum: sum)) - sum) < 1e-12)
    }

    @Test("knots that do not rise are removed")
    func rising() {
        let knots = [(6.0, 4.0), (2, 2), (7, 3.9), (6, 5), (10, 10)]
        let made = Interplay(knots: knots.map { Interplay.Knot(sum: $0.0, seconds: $0.1) })
        #expect(made == interplay)
    }
}
