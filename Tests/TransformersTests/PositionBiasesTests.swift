import TestSupport
import Testing

@testable import Transformers

@Suite("Biases of attention scores that depend on the distance") struct PositionBiasesTests {
    @Test("slopes are those of ALiBi, also for numbers of heads that are no power of two")
    func slopes() {
        // Press et al., arXiv 2108.12409, section 3: 8 heads have 1/2, 1/4 ... 1/256, and 16 heads
        // also have the geometric means between them.
        let eight = (1...8).map { Float(1) / Float(1 << $0) }
        #expect(PositionBiases.slopes(ofHeads: 8) == eight)
        let sixteen = PositionBiases.slopes(ofHeads: 16)
        expectClose(stride(from: 1, to: 16, by: 2).map { sixteen[$0] }, eight, relative: 1e-6)
        for (lower, upper) in zip(sixteen, sixteen.dropFirst()) {
            expectClose([upper / lower], [Float(0.5).squareRoot()], relative: 1e-6)
        }
        #expect(PositionBiases.slopes(ofHeads: 1) == [1 / 256])
        expectClose(
            PositionBiases.slopes(ofHeads: 12),
            eight + [0, 2, 4, 6].map { sixteen[$0] }, relative: 1e-6)
    }

    @Test("buckets of distances are those of transformers")
    func buckets() throws {
        struct Expected: Decodable { let buckets: [Int] }
        let wanted = try Fixture.decode(Expected.self, "tiny-mpnet/expected.json").buckets
        #expect(wanted.count == 601)
        #expect((-300...300).map(PositionBiases.bucket) == wanted)
    }
}
