import CKernels
import Foundation
import Tensors
import TestSupport
import Testing

@Suite("Kernels for matrix units")
struct MatrixUnitTests {
    @Test("a processor that reports matrix units runs the kernels for matrix units")
    func tableOfMatrixUnits() throws {
        let report = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
        let reported = ["amx_tile", "amx_int8", "amx_bf16", "avx512_fp16", "avx512_bf16"]
            .allSatisfy { (report ?? "").contains($0) }
        let names = floatTables.dropLast().map { String(cString: $0.kernels.name) }
        #expect(names.contains("amx") == reported)
        #expect(floatTables.last.map { String(cString: $0.kernels.name) } == "amx_emulated")
    }

    @Test(
        "bfloat16 attention agrees with f32 within the rounding error",
        arguments: floatTables.filter { $0.kernels.attend_bf16 != nil },
        [(7, 7, 32), (48, 48, 64), (33, 600, 32), (1, 40, 96), (60, 1100, 64)])
    func attention(table: FloatTable, sizes: (queries: Int, keys: Int, width: Int)) {
        let (queries, keys, width) = sizes
        let kernels = table.kernels
        let padded = (keys + 31) / 32 * 32
        let q = randomFloats(queries * width, seed: 1, in: -2...2)
        let k = randomFloats(keys * width, seed: 2, in: -2...2)
        let v = randomFloats(keys * width, seed: 3)
        var scores = [Float](repeating: 0, count: 32 * (512 + 16))
        var (floatKeys, floatValues) = (scores, scores)
        floatKeys = [Float](repeating: 0, count: padded * width)
        floatValues = [Float](repeating: 0, count: keys * padded32(width))
        kernels.formats.f32.pack_rows!(k, width, keys, width, &floatKeys, nil, nil)
        kernels.formats.f32.pack_columns!(v, width, keys, width, &floatValues)
        // The memory is filled with NaN, which shows values that are read but were not written.
        var halfKeys = [UInt16](repeating: 0x7fc0, count: padded * width)
        var halfValues = [UInt16](repeating: 0x7fc0, count: padded * width)
        kernels.formats.bf16.pack_rows!(k, width, keys, width, &halfKeys, nil, nil)
        kernels.pack_values_bf16!(v, width, keys, width, &halfValues)
        let scale = 1 / Float(width).squareRoot()
        for offset in [Int.max, keys - queries] {
            var want = [Float](repeating: 0, count: queries * width)
            var got = want
            kernels.attend_f32(
                q, width, queries, width, floatKeys, floatValues, keys, offset, scale, nil, &scores,
                &want, width)
            kernels.attend_bf16!(
                q, width, queries, width, halfKeys, halfValues, keys, offset, scale, nil, &scores,
                &got, width)
            let error = zip(got, want).reduce(0) { $0 + pow(Double($1.0 - $1.1), 2) }
            let size = want.reduce(0) { $0 + pow(Double($1), 2) }
            #expect(error <= size * 1e-4)
        }
    }

    /// `E[x xᵀ]` of normally distributed columns with different means, relative to
    /// `√(E[xᵢ²] E[xⱼ²])`: the largest error, and the mean error on the diagonal.
    private func gramErrors(_ table: FloatTable, rows: Int) -> (largest: Double, diagonal: Double) {
        let columns = 40
        var random = SplitMix64(seed: 4)
        let x = (0..<rows * columns).map { index -> Float in
            let uniform = (0..<12).reduce(Float(-6)) { sum, _ in
                sum + Float.random(in: 0..<1, using: &random)
            }
            return uniform + Float(index % columns % 3)
        }
        var sums = [Double](repeating: 0, count: columns * columns)
        var scratch = [Float](
            repeating: 0, count: Int(ck_slab_rows) * (96 + Int(ck_tile_columns)))
        table.kernels.gram_f32(x, rows, columns, 0, columns, &sums, &scratch)
        func product(_ i: Int, _ j: Int) -> Double {
            (0..<rows).reduce(0) {
                $0 + Double(x[$1 * columns + i]) * Double(x[$1 * columns + j])
            }
        }
        let squares = (0..<columns).map { product($0, $0) }
        var (largest, diagonal) = (0.0, 0.0)
        for i in 0..<columns {
            for j in i..<columns {
                let error =
                    (sums[i * columns + j] - product(i, j)) / (squares[i] * squares[j]).squareRoot()
                largest = max(largest, abs(error))
                if i == j { diagonal += error / Double(columns) }
            }
        }
        return (largest, diagonal)
    }

    @Test("second moments are within 2e-6 of f64", arguments: floatTables, [500, 1000])
    func secondMoments(table: FloatTable, rows: Int) {
        let errors = gramErrors(table, rows: rows)
        #expect(errors.largest <= 2e-6)
        // Without the squares of low terms, this would be about -8e-7.
        #expect(abs(errors.diagonal) <= 4e-7)
    }

    @Test("only tables with tile registers have steps of them", arguments: floatTables)
    func steps(table: FloatTable) {
        let (formats, usesTiles) = (table.kernels.formats, table.kernels.attend_bf16 != nil)
        #expect(formats.bf16.tile_inputs == (usesTiles ? 32 : 0))
        #expect(formats.int8.tile_inputs == (usesTiles ? 64 : 0))
        #expect(formats.bf16x2.tile_inputs == (usesTiles ? 32 : 0))
        #expect(formats.f32.tile_inputs == 0 && formats.f16.tile_inputs == 0)
    }

    private func padded32(_ count: Int) -> Int { (count + 31) / 32 * 32 }
}
