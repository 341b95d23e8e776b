import ModelFiles
import Testing

@testable import Transformers

@Suite("Scaled rotary positions of GGUF files")
struct RopeScalingTests {
    private func divisors(_ scaling: RopeScaling, _ frequencies: [Double]) -> [Float] {
        frequencies.map { Float(scaling.divisor(of: $0)) }
    }

    @Test(
        "the scaling is found from its divisors, for any original length",
        arguments: [64, 1024, 2048, 4096, 8192, 10_000, 131_072], [4, 8, 32])
    func usual(positions: Int, pairs: Int) throws {
        for (theta, factor) in [(500.0, 8.0), (10_000, 2.5), (500_000, 32)] {
            let scaling = RopeScaling(factor: factor, originalPositions: positions)
            let frequencies = ModelShape.unscaledFrequencies(ofPairs: pairs, theta: theta)
            let wanted = divisors(scaling, frequencies)
            guard wanted.contains(where: { $0 != 1 }) else { continue }
            for known in [nil, positions, 77, -1] {
                let found = try #require(
                    RopeScaling(divisors: wanted, theta: theta, originalPositions: known))
                for (got, want) in zip(divisors(found, frequencies), wanted) {
                    #expect(abs(got - want) <= 1e-4 * want, "\(positions) \(theta) \(factor)")
                }
                if known == positions, wanted.contains(Float(factor)) { #expect(found == scaling) }
            }
        }
    }

    @Test("the scaling is found for unusual limits of slow and fast pairs")
    func unusual() throws {
        let frequencies = ModelShape.unscaledFrequencies(ofPairs: 32, theta: 500_000)
        for (slow, fast, positions) in [(2.0, 8.0, 4096), (0.5, 1.5, 8192), (1, 32, 2048)] {
            let scaling = RopeScaling(
                factor: 8, lowFrequencyFactor: slow, highFrequencyFactor: fast,
                originalPositions: positions)
            let wanted = divisors(scaling, frequencies)
            for known in [nil, positions] {
                let found = try #require(
                    RopeScaling(divisors: wanted, theta: 500_000, originalPositions: known))
                for (got, want) in zip(divisors(found, frequencies), wanted) {
                    #expect(abs(got - want) <= 1e-3 * want)
                }
            }
        }
    }

    @Test("divisors of no known scaling give nil")
    func foreign() {
        for divisors: [Float] in [
            [1, 1, 1, 1], [8, 4, 2, 1], [1, 3, 2, 8], [1, .infinity, 1, 1], [1, .nan, 2, 8],
        ] {
            #expect(
                RopeScaling(divisors: divisors, theta: 500, originalPositions: nil) == nil,
                "\(divisors)")
        }
    }
}
