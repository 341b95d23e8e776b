import CKernels
import Testing

@testable import Tensors

extension Engine {
    /// An engine with the kernels of matrix units over an emulation of them.
    static func emulated(threads: Int) -> Engine {
        Engine(threads: threads, kernels: ck_emulated_table().pointee)
    }
}

@Suite("Second moments")
struct SecondMomentsTests {
    @Test(
        "second moments from a first column on agree with the definition for batches of rows",
        arguments: [0, 1, 33, 70], [(1, false), (2, false), (2, true)])
    func moments(first: Int, way: (threads: Int, emulates: Bool)) {
        let engine = way.emulates ? .emulated(threads: way.threads) : Engine(threads: way.threads)
        let columns = 71
        var random = SplitMix64(seed: 3)
        var moments = SecondMoments()
        var want = [Double](repeating: 0, count: columns * columns)
        for rows in [40, 300] {
            let x = (0..<rows * columns).map { _ in Float.random(in: -1...1, using: &random) }
            moments.add(
                Activations(Matrix(rows: rows, columns: columns, elements: x)), from: first,
                on: engine)
            for row in 0..<rows {
                for i in 0..<columns {
                    for j in 0..<columns {
                        want[i * columns + j] +=
                            Double(x[row * columns + i]) * Double(x[row * columns + j]) / 340
                    }
                }
            }
        }
        let found = moments.mean()
        for i in 0..<columns {
            for j in max(i, first)..<columns {
                #expect(abs(found[i, j] - want[i * columns + j]) < 1e-6)
                #expect(found[i, j] == found[j, i])
            }
        }
    }
}
