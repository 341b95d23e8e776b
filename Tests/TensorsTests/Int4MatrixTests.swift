import Foundation
import TestSupport
import Testing

@testable import Tensors

@Suite("Matrices in 4 bits")
struct Int4MatrixTests {
    private let random = Matrix(rows: 5, columns: 70, elements: randomFloats(350, seed: 1))

    /// The codes of a matrix, `[rows, columns]`, and the bits of its scales.
    private func parts(_ matrix: Int4Matrix) -> (codes: [UInt8], scales: [UInt16]) {
        let (size, groups) = (18, (matrix.columns + 31) / 32)
        let starts = stride(from: 0, to: matrix.blocks.count, by: size)
        let scales = starts.map {
            UInt16(matrix.blocks[$0]) | UInt16(matrix.blocks[$0 + 1]) << 8
        }
        var codes: [UInt8] = []
        for row in 0..<matrix.rows {
            for column in 0..<matrix.columns {
                let start = (row * groups + column / 32) * size + 2
                let byte = matrix.blocks[start + column % 16]
                codes.append(column % 32 < 16 ? byte & 15 : byte >> 4)
            }
        }
        return (codes, scales)
    }

    @Test("rows are padded with zeros to blocks of Q4_0")
    func blocks() {
        let matrix = Int4Matrix(rounding: random)
        for row in 0..<5 {
            let padded = Array(random.row(row)) + [Float](repeating: 0, count: 26)
            let want = DType.q40.bytes(from: padded.span)
            #expect(Array(matrix.blocks[row * 54..<(row + 1) * 54]) == want)
            let floats = DType.q40.floats(from: want.span.bytes)
            #expect(Array(matrix.floats.row(row)) == Array(floats[..<70]))
            #expect(floats[70...].allSatisfy { $0 == 0 })
        }
    }

    @Test("codes and scales make the same blocks", arguments: Int4Matrix.Rounding.allCases)
    func codes(rounding: Int4Matrix.Rounding) {
        let matrix = Int4Matrix(rounding: random, by: rounding)
        let (codes, scales) = parts(matrix)
        #expect(Int4Matrix(rows: 5, columns: 70, codes: codes, scales: scales) == matrix)
    }

    @Test("least squares find the best of the tried scales, and clip where that is better")
    func leastSquares() {
        func error(_ values: [Float], _ scale: Float) -> Double {
            values.reduce(0.0) { sum, value in
                let code = scale == 0 ? 0 : max(-8, min(7, (value / scale + 0.5).rounded(.down)))
                return sum + pow(Double(value) - Double(scale * code), 2)
            }
        }
        func scale(_ matrix: Int4Matrix) -> Float {
            let (_, scales) = parts(matrix)
            return Float(Float16(bitPattern: scales[0]))
        }
        var clipped = 0
        for seed in 1...100 {
            // Sums of uniform numbers, which are nearly normal.
            let values = (0..<32).map { i in
                randomFloats(12, seed: UInt64(seed * 100 + i)).reduce(0, +)
            }
            let group = Matrix(rows: 1, columns: 32, elements: values)
            let widest = values.max { abs($0) < abs($1) }!
            let tried = (0..<8).flatMap { step -> [Float] in
                let share = 1 - 0.05 * Float(step)
                return [widest / -8 * share, widest / 7 * share].map { Float(Float16($0)) }
            }
            let best = scale(Int4Matrix(rounding: group, by: .leastSquares))
            let least = tried.map { error(values, $0) }.min()!
            #expect(abs(error(values, best) - least) <= 1e-5 * least)
            let plain = Int4Matrix(rounding: group)
            #expect(least <= error(values, scale(plain)))
            if abs(best) < 0.99 * abs(scale(plain)) { clipped += 1 }
        }
        #expect(clipped > 30)
    }

    @Test(
        "least squares do not change elements that are a scale times integers",
        arguments: [0...15, 1...15, 3...12, 7...9, 8...8])
    func kept(codes: ClosedRange<UInt8>) {
        let (rows, groups) = (40, 3)
        // Scales of both signs, some of them subnormal halves.
        let scales = randomFloats(rows * groups, seed: 4).enumerated().map {
            Float16($1 * powf(10, Float($0 % 7) - 6)).bitPattern
        }
        let range = Float(codes.lowerBound)...Float(codes.upperBound) + 0.99
        let matrix = Int4Matrix(
            rows: rows, columns: groups * 32,
            codes: randomFloats(rows * groups * 32, seed: 3, in: range).map { UInt8($0) },
            scales: scales
        ).floats
        #expect(Int4Matrix(rounding: matrix, by: .leastSquares).floats == matrix)
    }

    @Test("packed weights are not rounded again", arguments: [1, 7])
    func packing(rows: Int) {
        let codes = randomFloats(100 * 70, seed: 3, in: 3...12.99).map { UInt8($0) }
        let scales = randomFloats(100 * 3, seed: 4).map { Float16($0 / 100).bitPattern }
        let weight = Int4Matrix(rows: 100, columns: 70, codes: codes, scales: scales)
        let bias = randomFloats(100, seed: 5)
        let packed = PackedWeights(weight, bias: bias, in: Arena())
        #expect(packed.precision == .int4 && packed.byteCount == 4 * (3 * 576 + 128))
        let floats = weight.floats
        var read = Activations()
        read.reshape(rows: 100, columns: 70)
        let engine = Engine(threads: 1)
        engine.gather(packed, rows: (0..<100).map(Int32.init), into: &read)
        #expect(read.matrix == floats)

        let x = Activations(
            Matrix(rows: rows, columns: 70, elements: randomFloats(rows * 70, seed: 6)))
        var (got, want) = (Activations(), Activations())
        got.reshape(rows: rows, columns: 100)
        want.reshape(rows: rows, columns: 100)
        engine.linear(x, packed, into: &got)
        engine.linear(x, PackedWeights(floats, bias: bias, in: Arena()), into: &want)
        expectClose(got.matrix.elements, want.matrix.elements, absolute: 2e-3)

        // Gates and ups in the halves of panels.
        let half = Int4Matrix(
            rows: 50, columns: 70, blocks: Array(weight.blocks[..<(50 * weight.rowBytes)]))
        let rest = Int4Matrix(
            rows: 50, columns: 70, blocks: Array(weight.blocks[(50 * weight.rowBytes)...]))
        got.reshape(rows: rows, columns: 50)
        want.reshape(rows: rows, columns: 50)
        engine.linear(x, PackedWeights(gate: half, up: rest, in: Arena()), into: &got, .swiglu)
        engine.linear(
            x, PackedWeights(gate: half.floats, up: rest.floats, in: Arena()), into: &want, .swiglu)
        expectClose(got.matrix.elements, want.matrix.elements, absolute: 2e-3)
    }
}
