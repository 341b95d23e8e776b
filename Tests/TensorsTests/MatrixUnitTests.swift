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

    private func padded32(_ count: Int) -> Int { (count + 31) / 32 * 32 }
}
