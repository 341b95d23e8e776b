import CKernels
import Foundation
import TestSupport
import Testing

/// Returns the value of the bits of an f16.
private func value(of half: UInt16) -> Double {
    let (exponent, mantissa) = (Int(half >> 10 & 31), Double(half & 1023))
    let size =
        exponent == 0 ? mantissa * 0x1p-24 : (1 + mantissa / 1024) * exp2(Double(exponent - 15))
    return half >> 15 == 0 ? size : -size
}

@Suite("f16 kernels of every instruction set")
struct HalfKernelTests {
    /// Returns the f16 nearest to 64 times a weight, divided by 64.
    ///
    /// All f16 are compared.
    private func nearest(_ weight: Float) -> Double {
        let wanted = 64 * abs(Double(weight))
        if wanted < 0x1p-14 { return 0 }
        let exponent = max(-14, min(15, floor(log2(wanted))))
        let step = exp2(exponent - 10)
        let size = min(65504, (wanted / step).rounded(.toNearestOrEven) * step)
        return weight < 0 ? -size / 64 : size / 64
    }

    @Test(
        "f16 products agree with f64 sums over rounded weights",
        arguments: floatTables, ProductSizes.all)
    func product(table: FloatTable, sizes: ProductSizes) {
        let (m, k, n) = (sizes.m, sizes.k, sizes.n)
        let format = table.kernels.formats.f16
        let (panels, pairs) = ((n + 31) / 32, (k + 1) / 2)
        let outputs = panels * 32
        // Rows of very different magnitudes.
        let a = randomFloats(m * k, seed: 1).enumerated().map {
            $0.element * Float(exp2(Double($0.offset / max(k, 1) % 5 * 9 - 18)))
        }
        let w = randomFloats(outputs * k, seed: 2)
        var packed = [UInt16](repeating: 0, count: max(panels * 64 * pairs, 1))
        format.pack_rows!(w, k, outputs, k, &packed, nil, nil)
        let rows = FormatRows(a, rows: m, inputs: k, for: format)
        #expect(rows.words.last == 42, "wrote past the rows")
        var (sums, sizes) = ([Double](), [Double]())
        for index in 0..<m * outputs {
            let terms = (0..<k).map {
                Double(a[index / outputs * k + $0]) * nearest(w[index % outputs * k + $0])
            }
            sums.append(terms.reduce(0, +))
            sizes.append(terms.reduce(0) { $0 + $1 * $1 }.squareRoot())
        }
        for epilogue in epilogues {
            let columns = isGated(epilogue) ? (n + 1) / 2 : n
            let bias = randomFloats(outputs, seed: 3)
            let before = randomFloats(m * columns, seed: 4)
            var c = before + [42]
            rows.multiply(packed, bias: bias, into: &c, columns: columns, epilogue)
            #expect(c.removeLast() == 42, "wrote past the product")
            let want = finished(sums, bias: bias, before: before, n: columns, epilogue)
            guard epilogue == ck_epilogue_store || epilogue == ck_epilogue_add else {
                guard !rows.isConverted else { continue }
                // Only rows of small magnitude: for these, f32 is precise enough for every
                // function.
                let small = (0..<m).filter { $0 % 5 < 3 }.flatMap {
                    $0 * columns..<($0 + 1) * columns
                }
                expectClose(
                    small.map { c[$0] }, small.map { want[$0] }, absolute: 5e-5, relative: 2e-5)
                continue
            }
            // The worst case: half of the last of 11 bits, for each term and each partial sum.
            let rounding: Double = rows.isConverted ? 8e-3 : 2e-6
            for (index, (got, want)) in zip(c, want).enumerated() {
                let size = sizes[index / columns * outputs + index % columns]
                #expect(
                    abs(Double(got - want)) <= rounding * size + 1e-5 + 1e-6 * abs(Double(want)))
            }
        }
    }

    @Test("weights times 64 are rounded to the nearest f16, ties to even", arguments: floatTables)
    func rounding(table: FloatTable) {
        let ties: [Float] = [
            0x1.004p0, 0x1.00cp0, 0x1.ffep-1, 0x1p-20, 0x1.ffp-21, 1023.5, 1e4, 0, -0.3,
        ]
        var values = ties + randomFloats(51, seed: 1, in: -2...2)
        values += randomFloats(9, seed: 2, in: -1e-5...1e-5)
        var halves = [UInt16](repeating: 0, count: (values.count + 1) / 2 * 64)
        let format = table.kernels.formats.f16
        format.pack_rows!(values, values.count, 1, values.count, &halves, nil, nil)
        for (index, weight) in values.enumerated() {
            #expect(
                value(of: halves[index / 2 * 64 + index % 2]) / 64 == nearest(weight), "\(weight)")
        }
        var columns = [UInt16](repeating: 0, count: (values.count + 1) / 2 * 64)
        format.pack_columns!(values, 1, values.count, 1, &columns)
        for index in values.indices {
            let place = index / 2 * 64 + index % 2
            #expect(columns[place] == halves[place])
        }
        format.pack_rows!([.nan], 1, 1, 1, &halves, nil, nil)
        #expect(halves[0] & 0x7c00 == 0x7c00 && halves[0] & 0x3ff != 0)
    }

    @Test(
        "weight gradients in f16 are close to f64", arguments: floatTables,
        [(1, 1, 1), (5, 13, 40), (385, 60, 70), (900, 50, 33)])
    func gradients(table: FloatTable, sizes: (rows: Int, outputs: Int, inputs: Int)) {
        guard let product = table.kernels.formats.f16.transposed_product else { return }
        checkTransposedProduct(product, sizes) { operands, got in
            let terms = operands.map { Double($0.0) * Double($0.1) }
            let size = terms.reduce(0) { $0 + $1 * $1 }.squareRoot()
            #expect(abs(got - terms.reduce(0, +)) <= 8e-3 * size + 1e-6)
        }
    }
}
