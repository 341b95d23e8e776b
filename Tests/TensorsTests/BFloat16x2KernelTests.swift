import CKernels
import Foundation
import TestSupport
import Testing

@Suite("Kernels of two terms in bfloat16, of every instruction set")
struct BFloat16x2KernelTests {
    /// The maximum error of a product, as a fraction of the product of the magnitudes: the rounding
    /// of both factors, and the product of both low terms.
    private static let allowed = 0x1p-15

    @Test("products agree with f64 sums", arguments: floatTables, ProductSizes.all)
    func product(table: FloatTable, sizes: ProductSizes) {
        let (m, k, n) = (sizes.m, sizes.k, sizes.n)
        let format = table.kernels.formats.bf16x2
        let panels = (n + 31) / 32
        let outputs = panels * 32
        let (a, w) = (randomFloats(m * k, seed: 1), randomFloats(outputs * k, seed: 2))
        let bias = randomFloats(outputs, seed: 3)
        var packed = [UInt32](repeating: 0, count: outputs * format.paddedWords(of: k)) + [42]
        format.pack_rows!(w, k, outputs, k, &packed, nil, nil)
        #expect(packed.last == 42, "wrote past the panels")
        let rows = FormatRows(a, rows: m, inputs: k, for: format)
        #expect(rows.words.last == 42, "wrote past the rows")
        var sums = [Double](repeating: 0, count: m * outputs)
        for index in sums.indices {
            for i in 0..<k {
                sums[index] +=
                    Double(a[index / outputs * k + i]) * Double(w[index % outputs * k + i])
            }
        }
        for epilogue in epilogues {
            let columns = isGated(epilogue) ? (n + 1) / 2 : n
            let before = randomFloats(m * columns, seed: 4)
            var c = before + [42]
            rows.multiply(packed, bias: bias, into: &c, columns: columns, epilogue)
            #expect(c.removeLast() == 42, "wrote past the product")
            // The errors of many products cancel out for the most part.
            expectClose(
                c, finished(sums, bias: bias, before: before, n: columns, epilogue),
                absolute: Float(2 * Self.allowed * Double(max(k, 1)).squareRoot()), relative: 5e-5)
        }
    }

    @Test(
        "the error of a deep product is 5e-6 of its size on matrix units, and that of f32 without",
        arguments: floatTables, [384, 768, 1536])
    func accuracy(table: FloatTable, k: Int) {
        let (m, n) = (9, 32)
        let (a, w) = (randomFloats(m * k, seed: 5), randomFloats(n * k, seed: 6))
        func error(_ format: ck_format) -> Double {
            var packed = [UInt32](repeating: 0, count: n * format.paddedWords(of: k))
            format.pack_rows!(w, k, n, k, &packed, nil, nil)
            var c = [Float](repeating: 0, count: m * n)
            FormatRows(a, rows: m, inputs: k, for: format).multiply(
                packed, bias: nil, into: &c, columns: n, ck_epilogue_store)
            var (errors, squares) = (0.0, 0.0)
            for (index, got) in c.enumerated() {
                let want = (0..<k).reduce(0.0) {
                    $0 + Double(a[index / n * k + $1]) * Double(w[index % n * k + $1])
                }
                errors += (Double(got) - want) * (Double(got) - want)
                squares += want * want
            }
            return (errors / squares).squareRoot()
        }
        let formats = table.kernels.formats
        let two = error(formats.bf16x2)
        if formats.bf16x2.tile_inputs > 0 {
            #expect(two < 5e-6 && two < error(formats.bf16) / 300)
        } else {
            #expect(two == error(formats.f32))
        }
    }

    @Test("weights come out within 2⁻¹⁷, from rows and from columns", arguments: floatTables)
    func packing(table: FloatTable) {
        let format = table.kernels.formats.bf16x2
        for (k, n) in [(1, 1), (33, 40), (64, 32), (95, 70)] {
            let w = randomFloats(n * k, seed: 7, in: -1e5...1e5)
            let words = format.paddedWords(of: k)
            var rows = [UInt32](repeating: 0, count: (n + 31) / 32 * 32 * words) + [42]
            var columns = rows
            format.pack_rows!(w, k, n, k, &rows, nil, nil)
            let transpose = (0..<n * k).map { w[$0 % n * k + $0 / n] }
            format.pack_columns!(transpose, n, k, n, &columns)
            #expect(rows == columns && rows.last == 42)
            for output in 0..<n {
                var row = [Float](repeating: 0, count: k) + [42]
                rows.withUnsafeBufferPointer {
                    format.unpack_row(
                        $0.baseAddress! + output / 32 * 32 * words, output % 32, k, 1, &row)
                }
                #expect(row.removeLast() == 42)
                for (got, want) in zip(row, w[(output * k)...]) {
                    #expect(abs(got - want) <= abs(want) * 0x1p-17)
                }
            }
        }
    }

    @Test(
        "gradients of weights agree with f64", arguments: floatTables,
        [(1, 1, 1), (5, 13, 40), (385, 60, 70), (900, 50, 33)])
    func gradients(table: FloatTable, sizes: (rows: Int, outputs: Int, inputs: Int)) {
        checkTransposedProduct(table.kernels.formats.bf16x2.transposed_product!, sizes) {
            operands, got in
            let products = operands.map { Double($0.0) * Double($0.1) }
            let magnitude = products.reduce(0) { $0 + abs($1) }
            #expect(abs(got - products.reduce(0, +)) <= Self.allowed * magnitude + 1e-6)
        }
    }
}
