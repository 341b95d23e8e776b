import Testing

@testable import Pipeline

@Suite("Fractions of the processor's limits")
struct LimitsTests {
    @Test("a fraction of the peak is the rate divided by it, but never above 1")
    func fractions() {
        #expect(LimitsAnswer.fraction(3e9, ofPeak: 4e9) == 0.75)
        #expect(LimitsAnswer.fraction(4e9, ofPeak: 4e9) == 1)
        // The bursts beside the product were slowed down.
        #expect(LimitsAnswer.fraction(5e9, ofPeak: 4e9) == 1)
    }
}
