import Foundation
import TestSupport
import Testing

@testable import Tensors

@Suite("Packed weights in every precision")
struct PackedWeightsTests {
    /// The maximum error of a product of `k` values between -1 and 1.
    private func tolerance(_ precision: Precision, _ k: Int) -> Float {
        let roots = Float(k).squareRoot()
        return switch precision {
        case .f32: 1e-5 * roots
        case .f16: 0.002 * roots
        case .bf16: 0.01 * roots
        case .int8: 0.03 * roots
        case .int4: 0.1 * roots
        case .bf16x2: 3e-5 * roots
        }
    }

    private func product(
        _ x: Matrix<Float>, _ weights: PackedWeights, threads: Int
    ) -> [Float] {
        var y = Activations()
        y.reshape(rows: x.rows, columns: weights.outputs)
        Engine(threads: threads).linear(Activations(x), weights, into: &y)
        return y.matrix.elements
    }

    @Test(
        "linear layers agree with the definition for any number of threads",
        arguments: Precision.allCases, [(1, 70, 45), (40, 33, 100)])
    func linear(precision: Precision, sizes: (tokens: Int, inputs: Int, outputs: Int)) {
        let x = Matrix<Float>(randomRows: sizes.tokens, columns: sizes.inputs, seed: 1)
        let w = Matrix<Float>(randomRows: sizes.outputs, columns: sizes.inputs, seed: 2)
        let bias = (0..<sizes.outputs).map { Float($0) / 50 }
        let weights = PackedWeights(w, bias: bias, precision: precision, in: Arena())
        let y = product(x, weights, threads: 1)
        let scale = (x.elements + w.elements).map(abs).max()!
        for row in 0..<sizes.tokens {
            for output in 0..<sizes.outputs {
                let want = zip(x.row(row), w.row(output)).reduce(bias[output]) { $0 + $1.0 * $1.1 }
                let error = abs(y[row * sizes.outputs + output] - want)
                #expect(error <= tolerance(precision, sizes.inputs) * scale * scale)
            }
        }
        for threads in 2...3 { #expect(product(x, weights, threads: threads) == y) }
    }

    @Test(
        "an unpacked row equals the packed row, except for rounding", arguments: Precision.allCases)
    func rows(precision: Precision) {
        let w = Matrix<Float>(randomRows: 70, columns: 37, seed: 1)
        let weights = PackedWeights(w, precision: precision, in: Arena())
        var y = Activations()
        let indices: [Int32] = [0, 31, 32, 69, 5]
        y.reshape(rows: indices.count, columns: 37)
        Engine(threads: 1).gather(weights, rows: indices, into: &y)
        for (row, index) in indices.enumerated() {
            let want = w.row(Int(index))
            let maximum = want.map(abs).max()!
            for (got, want) in zip(y.row(row), want) {
                switch precision {
                case .f32: #expect(got == want)
                case .f16: #expect(abs(got - want) <= abs(want) / 2048)
                case .bf16: #expect(abs(got - want) <= abs(want) / 256)
                case .int8: #expect(abs(got - want) <= maximum / 253)
                case .int4: #expect(abs(got - want) <= maximum / 7.9)
                case .bf16x2: #expect(abs(got - want) <= abs(want) / 131_072)
                }
            }
        }
    }

    @Test("the number of bytes counts the weights and the terms of each output")
    func bytes() {
        let w = Matrix<Float>(randomRows: 64, columns: 40, seed: 1)
        func bytes(_ precision: Precision, bias: Bool) -> Int {
            PackedWeights(
                w, bias: bias ? [Float](repeating: 1, count: 64) : nil, precision: precision,
                in: Arena()
            ).byteCount
        }
        #expect(bytes(.f32, bias: false) == 64 * 160)
        #expect(bytes(.f16, bias: false) == 64 * 80)
        #expect(bytes(.bf16, bias: false) == 64 * 80)
        #expect(bytes(.int8, bias: false) == 64 * (40 + 8))
        #expect(bytes(.int8, bias: true) == 64 * (40 + 12))
        // Two groups, each with 32 weights in 4 bits and a scale in 16.
        #expect(bytes(.int4, bias: false) == 64 * 2 * 18)
        #expect(bytes(.int4, bias: true) == 64 * (2 * 18 + 4))
    }

    @Test(
        "resized weights read fewer bytes, and their products are finite",
        arguments: Precision.allCases)
    func resized(precision: Precision) {
        let w = Matrix<Float>(randomRows: 100, columns: 90, seed: 1)
        let bias = [Float](repeating: 1, count: 100)
        let whole = PackedWeights(w, bias: bias, precision: precision, in: Arena())
        let part = whole.resized(inputs: 45, outputs: 40)
        #expect(
            part.byteCount
                == PackedWeights(
                    Matrix(randomRows: 40, columns: 45, seed: 1), bias: Array(bias.prefix(40)),
                    precision: precision, in: Arena()
                ).byteCount)
        let y = product(Matrix(randomRows: 3, columns: 45, seed: 2), part, threads: 1)
        #expect(y.count == 120 && y.allSatisfy { abs($0) < 1e4 })
        let x = Matrix<Float>(randomRows: 3, columns: 90, seed: 2)
        let wide = product(x, whole, threads: 1)
        let narrow = product(x, whole.resized(inputs: 90, outputs: 40), threads: 1)
        for row in 0..<3 {
            #expect(narrow[row * 40..<row * 40 + 40] == wide[row * 100..<row * 100 + 40])
        }
    }

    @Test("refilled weights keep the memory, and copies keep the old values")
    func refilled() {
        let (old, new) = (
            Matrix<Float>(randomRows: 40, columns: 33, seed: 1),
            Matrix<Float>(randomRows: 40, columns: 33, seed: 2)
        )
        let x = Matrix<Float>(randomRows: 3, columns: 33, seed: 3)
        let arena = Arena()
        var weights = PackedWeights(old, in: arena)
        let neighbour = PackedWeights(old, in: arena)
        let (before, address) = (product(x, weights, threads: 1), weights.panels(from: 0).panels)
        weights.refill(new)
        #expect(weights.panels(from: 0).panels == address)
        let after = product(x, weights, threads: 1)
        #expect(after == product(x, PackedWeights(new, in: Arena()), threads: 1))

        let copy = weights
        weights.refill(transposing: old.transposed)
        #expect(weights.panels(from: 0).panels != address)
        #expect(product(x, weights, threads: 1) == before)
        #expect(product(x, copy, threads: 1) == after)
        #expect(product(x, neighbour, threads: 1) == before)
    }
}
