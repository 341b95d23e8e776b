import CKernels
import Foundation
import TestSupport
import Testing

@testable import Tensors

@Suite("Contextual kernels")
struct ContextualKernelTests {
    @Test("products in 4 bits have at most the rounding error of 4 bits", arguments: floatTables)
    func look(table: FloatTable) {
        let kernels = table.kernels
        for (outputs, k, fine) in [
            (1, 1, []), (33, 7, [0]), (64, 8, [3, 7]), (70, 12, []), (31, 100, [0, 50, 99]),
            (96, 577, [1, 2, 3, 100, 200, 300, 400, 576]),
        ] {
            let (w, a) = (randomFloats(outputs * k, seed: 1), randomFloats(k, seed: 2))
            let (eights, padded) = ((k + 7) / 8, (outputs + 31) / 32 * 32)
            var panels = [UInt8](repeating: 0, count: padded / 32 * ck_coarse_panel(k))
            kernels.pack_rows_coarse(w, k, outputs, k, fine.map(UInt32.init), fine.count, &panels)
            var rest = a
            for input in fine { rest[input] = 0 }
            let few = fine.map { a[$0] } + [Float](repeating: 0, count: 8 - fine.count)
            var (codes, fineCodes) = (
                [Int8](repeating: 42, count: eights * 8), [Int8](repeating: 42, count: 8)
            )
            let scale = kernels.round_int8(rest, k, &codes)
            let fineScale = kernels.round_int8(few, 8, &fineCodes)
            for (code, x) in zip(codes, rest) {
                #expect(abs(Float(code) * scale - x) <= scale * 0.50001)
            }
            #expect(codes[k...].allSatisfy { $0 == 0 })
            var c = [Float](repeating: 42, count: outputs + 1)
            var maximum = [Float](repeating: 0, count: padded / 32)
            codes.withUnsafeBufferPointer { codes in
                fineCodes.withUnsafeBufferPointer { fineCodes in
                    let row = ck_coarse_row(
                        values: codes.baseAddress!, fine: fineCodes.baseAddress!, scale: scale,
                        fine_scale: fineScale)
                    kernels.multiply_coarse(row, k, panels, &c, outputs, &maximum)
                }
            }
            #expect(c[outputs] == 42, "wrote past the outputs")
            for output in 0..<outputs {
                let row = Array(w[output * k..<(output + 1) * k])
                func maximum(_ inputs: some Sequence<Int>) -> Float {
                    inputs.reduce(0) { max($0, abs(row[$1])) }
                }
                let step = max(
                    maximum((0..<k).filter { !fine.contains($0) }) / 7,
                    maximum(fine) * 16 / 127)
                let inverse = step > 0 ? 1 / step : 0
                // The exact product of the rounded weights and activations.
                var want = 0.0
                for input in 0..<k {
                    let place = fine.firstIndex(of: input)
                    let finer: Float = place == nil ? 1 : 16
                    let code = (row[input] * inverse * finer).rounded(.toNearestOrEven)
                    let x =
                        place.map { Float(fineCodes[$0]) * fineScale }
                        ?? Float(codes[input]) * scale
                    want += Double(code / finer * step) * Double(x)
                }
                #expect(abs(Double(c[output]) - want) <= 1e-4 * (1 + abs(want)))
            }
            for panel in maximum.indices {
                #expect(maximum[panel] == c[panel * 32..<min(outputs, panel * 32 + 32)].max())
            }
        }
    }

    @Test(
        "the sum of the rows of a few inputs is the product",
        arguments: Precision.allCases, [1, 2, 3])
    func sums(precision: Precision, threads: Int) {
        let engine = Engine(threads: threads)
        for (outputs, inputs) in [(1, 5), (16, 40), (100, 33), (576, 70)] {
            let weight = Matrix<Float>(randomRows: outputs, columns: inputs, seed: 3)
            let x = Activations(Matrix(randomRows: 1, columns: inputs, seed: 4))
            let thresholds = randomFloats(inputs, seed: 5).map(abs)
            var y = Activations(Matrix(randomRows: 1, columns: outputs, seed: 6))
            let before = y
            let rows = UnitRows(to: weight, precision: precision)
            let count = engine.addProduct(of: x, above: thresholds, rows, to: &y)
            let kept = (0..<inputs).filter { abs(x[0, $0]) > thresholds[$0] }
            #expect(count == kept.count)
            let step = precision == .f32 ? 1e-6 : precision == .bf16 ? 1.0 / 256 : 1.0 / 127
            for output in 0..<outputs {
                let terms = kept.map { Double(x[0, $0]) * Double(weight[output, $0]) }
                let want = Double(before[0, output]) + terms.reduce(0, +)
                let room = step * Double(kept.count) * 2 + 1e-5
                #expect(abs(Double(y[0, output]) - want) <= room)
            }
        }
    }

    @Test(
        "a screened product has the exact largest logit", arguments: Precision.allCases, [1, 2])
    func screened(precision: Precision, threads: Int) {
        let engine = Engine(threads: threads)
        let weight = Matrix(rows: 1000, columns: 48, elements: randomFloats(48_000, seed: 7))
        let (coarse, exact) = (
            CoarseWeights(weight), PackedWeights(weight, precision: precision, in: Arena())
        )
        let x = Activations(Matrix(rows: 5, columns: 48, elements: randomFloats(240, seed: 8)))
        var (want, got) = (Activations(), Activations())
        want.reshape(rows: 5, columns: 1000)
        got.reshape(rows: 5, columns: 1000)
        engine.linear(x, exact, into: &want)
        let share = engine.screen(x, coarse: coarse, exact: exact, margin: 1, into: &got)
        #expect(share > 0 && share < 0.9)
        for row in 0..<5 {
            let best = want.row(row).max()!
            #expect(abs(got.row(row).max()! - best) <= 1e-5 * abs(best))
        }
        #expect(engine.screen(x, coarse: coarse, exact: exact, margin: .infinity, into: &got) == 1)
        for row in 0..<5 {
            for column in 0..<1000 {
                #expect(abs(got[row, column] - want[row, column]) <= 1e-4)
            }
        }
    }

    @Test("inputs in 8 bits have a smaller error than inputs in 4 bits", arguments: [1, 2])
    func fine(threads: Int) {
        let engine = Engine(threads: threads)
        let weight = Matrix(rows: 500, columns: 40, elements: randomFloats(20_000, seed: 9))
        let exact = PackedWeights(weight, in: Arena())
        var values = randomFloats(40, seed: 10)
        values[7] = 90
        values[31] = -70
        let x = Activations(Matrix(rows: 1, columns: 40, elements: values))
        var want = Activations()
        want.reshape(rows: 1, columns: 500)
        engine.linear(x, exact, into: &want)
        func error(_ fineInputs: [Int]) -> Float {
            var got = Activations()
            got.reshape(rows: 1, columns: 500)
            let coarse = CoarseWeights(weight, fineInputs: fineInputs)
            let share = engine.screen(
                x, coarse: coarse, exact: exact, margin: -.infinity, into: &got)
            #expect(share == 0)
            return (0..<500).map { abs(got[0, $0] - want[0, $0]) }.max()!
        }
        #expect(error([7, 31]) < error([]) / 5)
    }
}
