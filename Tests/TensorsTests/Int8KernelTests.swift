import CKernels
import Foundation
import TestSupport
import Testing

/// Random weights `[outputs, k]` and activations `[m, k]`, quantised by the kernels of a table.
///
/// `@unchecked`: the buffers are written only by the initializer.
private final class Quantised: @unchecked Sendable {
    let outputs: Int
    let terms: Int
    private let sizes: ProductSizes
    private let stride: Int
    private let format: ck_format
    private let values: UnsafeMutableBufferPointer<UInt8>
    private let scales: UnsafeMutableBufferPointer<Float>
    private let zeros: UnsafeMutableBufferPointer<Int32>
    private let packed: UnsafeMutableBufferPointer<Int8>
    private let weightScales: UnsafeMutableBufferPointer<Float>
    private let sums: UnsafeMutableBufferPointer<Int32>

    init(_ sizes: ProductSizes, terms: Int, _ kernels: ck_kernels) {
        func zeroes<Value: FixedWidthInteger>(_ count: Int) -> UnsafeMutableBufferPointer<Value> {
            let buffer = UnsafeMutableBufferPointer<Value>.allocate(capacity: max(count, 1))
            buffer.initialize(repeating: 0)
            return buffer
        }
        func floats(_ count: Int) -> UnsafeMutableBufferPointer<Float> {
            let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: max(count, 1))
            buffer.initialize(repeating: 0)
            return buffer
        }
        let (m, k) = (sizes.m, sizes.k)
        (self.sizes, self.terms, format) = (sizes, terms, kernels.formats.int8)
        (outputs, stride) = ((sizes.n + 31) / 32 * 32, (k + 3) / 4 * 4)
        (values, scales, zeros) = (zeroes(m * terms * stride), floats(m * terms), zeroes(m * terms))
        (packed, weightScales, sums) = (zeroes(outputs * stride), floats(outputs), zeroes(outputs))
        format.pack_rows!(
            randomFloats(outputs * k, seed: 2), k, outputs, k, packed.baseAddress!,
            weightScales.baseAddress!, sums.baseAddress!)
        let x = randomFloats(m * k, seed: 1, in: -1...3)
        for row in 0..<m {
            format.convert!(
                Array(x[(row * k)..<(row * k + k)]), k, terms,
                values.baseAddress! + row * terms * stride, stride,
                scales.baseAddress! + row * terms, zeros.baseAddress! + row * terms)
        }
    }

    deinit {
        values.deallocate()
        scales.deallocate()
        zeros.deallocate()
        packed.deallocate()
        weightScales.deallocate()
        sums.deallocate()
    }

    /// Returns the product of one term of a row and one output: the scaled sum of integers.
    func product(_ row: Int, _ term: Int, _ output: Int) -> Float {
        let row = row * terms + term
        let sum = (0..<sizes.k).reduce(0) { sum, i in
            let place = (output / 32 * stride + i / 4 * 4) * 32 + output % 32 * 4 + i % 4
            return sum + (Int(values[row * stride + i]) - Int(zeros[row])) * Int(packed[place])
        }
        return Float(sum) * (scales[row] * weightScales[output])
    }

    /// Returns the product that the kernel computes.
    func product(
        _ epilogue: ck_epilogue, bias: [Float]?, columns: Int, before: [Float]
    ) -> [Float] {
        var c = before + [42]
        format.product(
            ck_operand(
                values: values.baseAddress!, stride: stride, terms: terms,
                scales: scales.baseAddress!, zeros: zeros.baseAddress!),
            sizes.m, sizes.k,
            ck_weights(
                panels: packed.baseAddress!, scales: weightScales.baseAddress!,
                sums: sums.baseAddress!),
            bias, &c, columns, columns, epilogue)
        #expect(c.removeLast() == 42, "wrote past the product")
        return c
    }
}

@Suite("8-bit integer kernels of every instruction set")
struct Int8KernelTests {
    @Test("sums are exact integers that are scaled once", arguments: floatTables, ProductSizes.all)
    func sums(table: FloatTable, sizes: ProductSizes) {
        for terms in 1...2 {
            let quantised = Quantised(sizes, terms: terms, table.kernels)
            let count = sizes.m * sizes.n
            let want = (0..<count).map { index in
                (1..<terms).reduce(quantised.product(index / sizes.n, 0, index % sizes.n)) {
                    $0 + quantised.product(index / sizes.n, $1, index % sizes.n)
                }
            }
            let got = quantised.product(
                ck_epilogue_store, bias: nil, columns: sizes.n,
                before: [Float](repeating: 0, count: count))
            #expect(got == want, "\(terms) terms")
        }
    }

    @Test("epilogues agree with f64", arguments: floatTables, ProductSizes.all)
    func finishing(table: FloatTable, sizes: ProductSizes) {
        for terms in 1...2 {
            let quantised = Quantised(sizes, terms: terms, table.kernels)
            let bias = randomFloats(quantised.outputs, seed: 3)
            let sums = (0..<sizes.m * quantised.outputs).map { index in
                (0..<terms).reduce(0.0) {
                    $0
                        + Double(
                            quantised.product(
                                index / quantised.outputs, $1, index % quantised.outputs))
                }
            }
            for epilogue in epilogues {
                let columns = isGated(epilogue) ? (sizes.n + 1) / 2 : sizes.n
                let before = randomFloats(sizes.m * columns, seed: 4)
                let error = functionError(table, epilogue, sums)
                expectClose(
                    quantised.product(epilogue, bias: bias, columns: columns, before: before),
                    finished(sums, bias: bias, before: before, n: columns, epilogue),
                    absolute: 2e-5 + error.absolute, relative: 1e-5 + error.relative)
            }
        }
    }

    @Test(
        "activations are rounded by at most half a step, 0 is exact, and all tables agree",
        arguments: floatTables,
        [
            randomFloats(1, seed: 1), randomFloats(37, seed: 2),
            randomFloats(64, seed: 3, in: 2...9), randomFloats(51, seed: 4, in: -900 ... -0.1),
            [0, 0, 0], [0, -1, 0, 1e-3, 1e6],
        ])
    func activations(table: FloatTable, x: [Float]) {
        let stride = (x.count + 3) / 4 * 4
        for terms in 1...2 {
            func quantised(
                by kernels: ck_kernels
            ) -> (codes: [UInt8], scales: [Float], zeros: [Int32]) {
                var codes = [UInt8](repeating: 42, count: terms * stride + 1)
                var (scales, zeros) = (
                    [Float](repeating: -1, count: 2), [Int32](repeating: -1, count: 2)
                )
                kernels.formats.int8.convert!(
                    x, x.count, terms, &codes, stride, &scales, &zeros)
                return (codes, scales, zeros)
            }
            let got = quantised(by: table.kernels)
            #expect(got.codes.last == 42, "wrote past the row")
            #expect(terms == 2 || got.scales[1] == -1 && got.zeros[1] == -1, "wrote past the terms")
            let span = Double(max(x.max()!, 0)) - Double(min(x.min()!, 0))
            #expect(abs(Double(got.scales[0]) - span / 254) <= 1e-6 * span)
            let finest = Double(got.scales[terms - 1])
            for (i, value) in x.enumerated() {
                let decoded = (0..<terms).reduce(0.0) {
                    let code = Int(got.codes[$1 * stride + i]) - Int(got.zeros[$1])
                    return $0 + Double(got.scales[$1]) * Double(code)
                }
                // With two terms, the rounding error of the f32 quotient is visible. At one end of
                // the range, half a fine step cannot be represented.
                #expect(abs(Double(value) - decoded) <= (terms == 1 ? 0.501 : 1.1) * finest)
                if value == 0 { #expect(decoded == 0) }
            }
            for term in 0..<terms {
                #expect(0...255 ~= got.zeros[term])
                #expect(
                    got.codes[(term * stride + x.count)..<((term + 1) * stride)]
                        .allSatisfy { Int32($0) == got.zeros[term] })
            }
            let want = quantised(by: floatTables.last!.kernels)
            #expect(
                got.codes == want.codes && got.scales == want.scales && got.zeros == want.zeros)
        }
    }

    @Test("the largest code of each output's weights is 127", arguments: floatTables)
    func weights(table: FloatTable) {
        let (outputs, k) = (33, 10)
        var w = randomFloats(outputs * k, seed: 1)
        for output in 0..<outputs {
            for i in 0..<k { w[output * k + i] *= powf(10, Float(output % 7) - 3) }
        }
        for i in 0..<k { w[5 * k + i] = 0 }
        var packed = [Int8](repeating: 0, count: 2 * 32 * 12)
        var (scales, sums) = ([Float](repeating: -1, count: 64), [Int32](repeating: -1, count: 64))
        table.kernels.formats.int8.pack_rows!(w, k, outputs, k, &packed, &scales, &sums)
        for output in 0..<outputs {
            let codes = (0..<k).map {
                Int(packed[(output / 32 * 12 + $0 / 4 * 4) * 32 + output % 32 * 4 + $0 % 4])
            }
            #expect(codes.map(abs).max() == (output == 5 ? 0 : 127))
            #expect(Int(sums[output]) == codes.reduce(0, +))
            for (i, code) in codes.enumerated() {
                let error = abs(w[output * k + i] - scales[output] * Float(code))
                #expect(error <= 0.5001 * scales[output])
            }
        }
        #expect(scales[33...].allSatisfy { $0 == -1 }, "wrote past the outputs")
    }
}
