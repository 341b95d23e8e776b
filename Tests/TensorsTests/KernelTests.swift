import CKernels
import Foundation
import Tensors
import TestSupport
import Testing

/// Every table of kernels that this processor runs, and the kernels for matrix units with
/// emulated units.
let floatTables = ((0..<8).compactMap { ck_table($0) } + [ck_emulated_table()])
    .map { FloatTable(kernels: $0.pointee) }

/// A table of kernels with its name.
struct FloatTable: CustomTestStringConvertible, @unchecked Sendable {
    let kernels: ck_kernels
    var testDescription: String { String(cString: kernels.name) }
}

func randomFloats(_ count: Int, seed: UInt64, in range: ClosedRange<Float> = -1...1) -> [Float] {
    var random = SplitMix64(seed: seed)
    return (0..<count).map { _ in Float.random(in: range, using: &random) }
}

@Suite("Kernels of every instruction set")
struct KernelTests {
    @Test(
        "products agree with f64 for every number of rows and remainder", arguments: floatTables,
        [
            (1, 1, 1), (1, 576, 100), (2, 7, 31), (5, 64, 32), (11, 33, 33), (12, 16, 64),
            (13, 50, 96), (29, 129, 65), (3, 0, 40),
        ])
    func product(table: FloatTable, sizes: (m: Int, k: Int, n: Int)) {
        let (m, k, n) = sizes
        let a = randomFloats(m * k, seed: 1)
        let w = randomFloats(n * k, seed: 2)
        let panels = (n + 31) / 32
        var bias = randomFloats(n, seed: 3)
        bias += [Float](repeating: 0, count: panels * 32 - n)
        var packed = [Float](repeating: 0, count: max(panels * 32 * k, 1))
        table.kernels.formats.f32.pack_rows!(w, k, n, k, &packed, nil, nil)
        let rows = FormatRows(a, rows: m, inputs: k, for: table.kernels.formats.f32)
        let before = randomFloats(m * n, seed: 4)
        for epilogue in epilogues where !isGated(epilogue) {
            var c = before + [42]
            rows.multiply(packed, bias: bias, into: &c, columns: n, epilogue)
            #expect(c.removeLast() == 42, "wrote past the product")
            let want = (0..<m * n).map { index -> Float in
                let (row, column) = (index / n, index % n)
                var sum = Double(bias[column])
                for i in 0..<k { sum += Double(a[row * k + i]) * Double(w[column * k + i]) }
                switch epilogue {
                case ck_epilogue_add: return Float(sum + Double(before[index]))
                default: return Float(activated(sum, epilogue))
                }
            }
            expectClose(c, want, absolute: 2e-5, relative: 1e-5)
        }
    }

    @Test(
        "gated products agree with f64", arguments: floatTables,
        [(1, 40, 48), (7, 24, 20), (14, 9, 16)])
    func gatedProduct(table: FloatTable, sizes: (m: Int, k: Int, n: Int)) {
        let (m, k, n) = sizes
        let a = randomFloats(m * k, seed: 1)
        let (gate, up) = (randomFloats(n * k, seed: 2), randomFloats(n * k, seed: 3))
        let panels = (n + 15) / 16
        var packed = [Float](repeating: 0, count: panels * 32 * k)
        for panel in 0..<panels {
            packed.withUnsafeMutableBufferPointer { packed in
                for (weights, lane) in [(gate, 0), (up, 16)] {
                    table.kernels.formats.f32.pack_rows!(
                        Array(weights[(panel * 16 * k)...]), k, min(16, n - panel * 16), k,
                        packed.baseAddress! + panel * 32 * k + lane, nil, nil)
                }
            }
        }
        for epilogue in gatedEpilogues {
            var c = [Float](repeating: 0, count: m * n) + [42]
            FormatRows(a, rows: m, inputs: k, for: table.kernels.formats.f32)
                .multiply(packed, bias: nil, into: &c, columns: n, epilogue)
            #expect(c.removeLast() == 42, "wrote past the product")
            let want = (0..<m * n).map { index -> Float in
                var (g, u) = (0.0, 0.0)
                for i in 0..<k {
                    g += Double(a[index / n * k + i]) * Double(gate[index % n * k + i])
                    u += Double(a[index / n * k + i]) * Double(up[index % n * k + i])
                }
                return Float(activated(g, epilogue) * u)
            }
            expectClose(c, want, absolute: 2e-5, relative: 1e-5)
        }
    }

    @Test("Gram sums fill the upper triangle", arguments: floatTables, [5, 32, 70])
    func gram(table: FloatTable, columns: Int) {
        let rows = Int(ck_slab_rows) + 19
        let x = randomFloats(rows * columns, seed: 5)
        var sums = [Double](repeating: 1, count: columns * columns)
        var scratch = productScratch(columns)
        table.kernels.gram_f32(x, rows, columns, 0, columns, &sums, &scratch)
        // With tile registers, x is rounded to two terms of 8 bits.
        let room = table.kernels.attend_bf16 == nil ? 1e-4 : 3e-4
        for i in 0..<columns {
            for j in i..<columns {
                let want = (0..<rows).reduce(1.0) {
                    $0 + Double(x[$1 * columns + i]) * Double(x[$1 * columns + j])
                }
                #expect(abs(sums[i * columns + j] - want) < room)
            }
        }
    }

    private func productScratch(_ columns: Int) -> [Float] {
        let padded = (columns + 31) / 32 * 32
        return [Float](
            repeating: 0, count: Int(ck_slab_rows) * (padded + Int(ck_tile_columns)))
    }

    @Test(
        "transposed products agree with the definition", arguments: floatTables,
        [(5, 29), (32, 64), (70, 101)])
    func transposedProduct(table: FloatTable, _ shape: (width: Int, n: Int)) {
        let (width, n) = shape
        let (rows, lda) = (Int(ck_slab_rows) + 19, n + 3)
        let (a, b) = (randomFloats(rows * lda, seed: 5), randomFloats(rows * width, seed: 6))
        var c = [Float](repeating: 7, count: n * width)
        var scratch = productScratch(width)
        for first in stride(from: 0, to: width, by: 32) {
            table.kernels.formats.f32.transposed_product!(
                a, lda, rows, n, b, width, first, min(first + 32, width), &c, &scratch)
        }
        let want = (0..<n * width).map { index in
            (0..<rows).reduce(7.0) {
                $0 + Double(a[$1 * lda + index / width]) * Double(b[$1 * width + index % width])
            }
        }
        expectClose(c, want.map(Float.init), absolute: 1e-4)
    }

    @Test(
        "activation functions and derivatives agree with f64", arguments: floatTables,
        epilogues.filter { $0 != ck_epilogue_store && $0 != ck_epilogue_add })
    func activations(table: FloatTable, function: ck_epilogue) {
        let n = 1003
        let (x, y) = (randomFloats(2 * n, seed: 1, in: -9...9), randomFloats(n, seed: 2))
        var (values, slopes) = (
            [Float](repeating: 0, count: n), [Float](repeating: 0, count: 2 * n)
        )
        table.kernels.activate_f32(x, n, function, &values)
        table.kernels.differentiate_f32(x, y, n, function, &slopes)
        func value(_ x: Double) -> Double { activated(x, function) }
        let gated = isGated(function)
        for index in 0..<n {
            let (x, up, y) = (Double(x[index]), Double(x[n + index]), Double(y[index]))
            let slope = (value(x + 1e-5) - value(x - 1e-5)) / 2e-5
            #expect(abs(Double(values[index]) - value(x) * (gated ? up : 1)) < 2e-5)
            #expect(abs(Double(slopes[index]) - y * slope * (gated ? up : 1)) < 2e-4)
            if gated { #expect(abs(Double(slopes[n + index]) - y * value(x)) < 2e-5) }
        }
    }

    @Test("exponentials are accurate over the whole range", arguments: floatTables)
    func exponential(table: FloatTable) {
        var x = (0..<1000).map { Float($0) * -0.1 }
        let sum = x.reduce(0.0) { $0 + exp(Double($1)) }
        let want = x.map { Float(exp(Double($0)) / sum) }
        table.kernels.softmax_f32(&x, x.count, 1)
        expectClose(x, want, absolute: 1e-37, relative: 1e-5)
        let wide: [Float] = [-1e30, -88, 0, 88, 1e4]
        #expect(abs(table.kernels.log_sum_exp_f32(wide, wide.count) - 1e4) < 1e-9)
    }

    @Test(
        "row operations agree with f64 for every remainder", arguments: floatTables,
        [1, 3, 4, 15, 16, 17, 100])
    func rows(table: FloatTable, n: Int) {
        let (x, w, b) = (
            randomFloats(n, seed: 1), randomFloats(n, seed: 2), randomFloats(n, seed: 3)
        )
        let square = x.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(n)
        let mean = x.reduce(0.0) { $0 + Double($1) } / Double(n)
        var y = [Float](repeating: 42, count: n + 1)
        table.kernels.rms_norm_f32(&y, x, w, n, 1e-5)
        #expect(y.removeLast() == 42, "wrote past n")
        expectClose(
            y, (0..<n).map { Float(Double(x[$0]) * Double(w[$0]) / (square + 1e-5).squareRoot()) },
            absolute: 1e-6, relative: 1e-5)
        y.append(42)
        table.kernels.layer_norm_f32(&y, x, w, b, n, 1e-5)
        #expect(y.removeLast() == 42, "wrote past n")
        let deviation = (square - mean * mean + 1e-5).squareRoot()
        expectClose(
            y,
            (0..<n).map {
                Float((Double(x[$0]) - mean) / deviation * Double(w[$0]) + Double(b[$0]))
            },
            absolute: 2e-4, relative: 1e-4)
    }

    @Test(
        "attention agrees with the definition", arguments: floatTables,
        [(5, 5, 16), (60, 60, 24), (3, 40, 64), (14, 1030, 33), (600, 600, 8)])
    func attention(table: FloatTable, sizes: (queries: Int, keys: Int, width: Int)) {
        let (queries, keys, width) = sizes
        let q = randomFloats(queries * width, seed: 1)
        let (k, v) = (randomFloats(keys * width, seed: 2), randomFloats(keys * width, seed: 3))
        let padded = (keys + 31) / 32 * 32
        let columns = (width + 31) / 32 * 32
        var packedKeys = [Float](repeating: 0, count: padded * width)
        var packedValues = [Float](repeating: 0, count: keys * columns)
        let format = table.kernels.formats.f32
        format.pack_rows!(k, width, keys, width, &packedKeys, nil, nil)
        format.pack_columns!(v, width, keys, width, &packedValues)
        let terms = randomFloats(queries + keys, seed: 4)
        for (causal, changed) in [(true, false), (false, false), (true, true), (false, true)] {
            let offset = keys - queries
            var rule = ck_scores(window: causal ? keys / 3 + 1 : 0, cap: 0.5, bias: nil)
            var scores = [Float](repeating: 0, count: 12 * padded)
            var out = [Float](repeating: 0, count: queries * width)
            terms.withUnsafeBufferPointer { terms in
                if changed { rule.bias = terms.baseAddress.map { $0 + queries } }
                table.kernels.attend_f32(
                    q, width, queries, width, packedKeys, packedValues, keys,
                    causal ? offset : Int.max, 0.25, changed ? [rule] : nil, &scores, &out, width)
            }
            let want = (0..<queries).flatMap { query -> [Float] in
                let seen = causal ? offset + query + 1 : keys
                let weights = (0..<seen).map { key -> Double in
                    var score =
                        0.25
                        * (0..<width).reduce(0.0) {
                            $0 + Double(q[query * width + $1]) * Double(k[key * width + $1])
                        }
                    if changed {
                        score = 0.5 * tanh(score / 0.5) + Double(terms[queries + key - query])
                        if causal, key + keys / 3 + 1 <= offset + query { return 0 }
                    }
                    return exp(score)
                }
                let total = weights.reduce(0, +)
                return (0..<width).map { column in
                    Float(
                        (0..<seen).reduce(0.0) {
                            $0 + weights[$1] / total * Double(v[$1 * width + column])
                        })
                }
            }
            expectClose(out, want, absolute: 1e-5)
            if changed { continue }
            if let pack = table.kernels.pack_keys_int16 {
                var keyWords = [UInt32](repeating: 0, count: padded * ((width + 1) / 2))
                var valueWords = [UInt32](repeating: 0, count: columns * ((keys + 1) / 2))
                var keyScales = [Float](repeating: 0, count: padded)
                var valueScales = [Float](repeating: 0, count: columns)
                pack(k, width, keys, width, &keyWords, &keyScales)
                table.kernels.pack_values_int16!(
                    v, width, keys, width, &valueWords, &valueScales)
                table.kernels.attend_int16!(
                    q, width, queries, width, keyWords, keyScales, valueWords, valueScales, keys,
                    causal ? offset : Int.max, 0.25, nil, &scores, &out, width)
                expectClose(out, want, absolute: 5e-3)
            }
            // Two heads with the same query have the same result.
            let last = Array(q[((queries - 1) * width)...])
            var both = [Float](repeating: 0, count: 2 * width + 1)
            var weights = [Float](repeating: 0, count: 2 * (keys + Int(ck_mixed_floats)))
            table.kernels.attend_one_f32(
                last + last, width, 2, k, v, width, keys, 0.25, nil, &weights, &both)
            #expect(both.removeLast() == 0, "wrote past the results")
            #expect(both.prefix(width) == both.suffix(width))
            expectClose(
                Array(both.prefix(width)), Array(want[((queries - 1) * width)...]), absolute: 1e-5)
        }
    }
}
