import Tensors
import Testing

@Suite("Cosine")
struct CosineTests {
    @Test("the cosine of a known angle does not depend on the lengths of the vectors")
    func angles() {
        #expect(abs(cosine([1.0, 2], [2, 4]) - 1) < 1e-12)
        #expect(abs(cosine([Float(1), 0], [0, 3])) < 1e-12)
        #expect(abs(cosine([1.0, 0], [-2, 2]) + 0.5.squareRoot()) < 1e-12)
        #expect(cosine([0.0, 0], [1, 2]) == 1)
    }
}
