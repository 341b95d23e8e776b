import CKernels
import TestSupport
import Testing

/// Products that are made part by part, over which a block's rows stay in the second-level cache.
@Suite("Products of great depth")
struct DeepProductTests {
    /// Of -1, 0 and 1 all sums are exact, in whatever order.
    private func signs(_ count: Int, seed: UInt64) -> [Float] {
        randomFloats(count, seed: seed).map { $0.rounded() }
    }

    @Test("sums of integers are exact in floats of every size", arguments: floatTables)
    func exact(table: FloatTable) {
        let (kernels, m, k, n) = (table.kernels, 29, 4500, 70)
        let (panels, pairs) = ((n + 31) / 32, k / 2)
        let (a, w) = (signs(m * k, seed: 1), signs(panels * 32 * k, seed: 2))
        let (bias, before) = (signs(panels * 32, seed: 3), signs(m * n, seed: 4))
        var floats = [Float](repeating: 0, count: panels * 32 * k)
        var (bfloats, halves) = (
            [UInt16](repeating: 0, count: panels * 32 * k),
            [UInt16](repeating: 0, count: panels * 32 * k)
        )
        kernels.pack_rows_f32(w, k, n, k, &floats)
        kernels.pack_rows_bf16(w, k, n, k, &bfloats)
        kernels.pack_rows_f16(w, k, n, k, &halves)
        var rounded = [UInt16](repeating: 0, count: m * k)
        var (scaled, scales) = (rounded, [Float](repeating: 0, count: m))
        for row in 0..<m {
            let own = Array(a[row * k..<(row + 1) * k])
            rounded.withUnsafeMutableBufferPointer {
                kernels.round_bf16?(own, k, $0.baseAddress! + row * k)
            }
            scaled.withUnsafeMutableBufferPointer {
                scales[row] = kernels.round_f16?(own, k, $0.baseAddress! + row * k) ?? 1
            }
        }
        for epilogue in [ck_epilogue_store, ck_epilogue_add, ck_epilogue_relu] {
            let want = before.indices.map { index in
                let (row, column) = (index / n, index % n)
                let sum = (0..<k).reduce(bias[column]) { $0 + a[row * k + $1] * w[column * k + $1] }
                switch epilogue {
                case ck_epilogue_add: return before[index] + sum
                case ck_epilogue_relu: return max(sum, 0)
                default: return sum
                }
            }
            var c = before
            kernels.gemm_f32(a, k, m, k, floats, bias, &c, n, n, epilogue)
            #expect(c == want)
            for (gemm, words, panels, isRounded) in [
                (kernels.gemm_bf16, rounded, bfloats, kernels.round_bf16 != nil),
                (kernels.gemm_f16, scaled, halves, kernels.round_f16 != nil),
            ] {
                c = before
                if isRounded {
                    gemm(words, scales, pairs, m, k, panels, bias, &c, n, n, epilogue)
                } else {
                    gemm(a, nil, k, m, k, panels, bias, &c, n, n, epilogue)
                }
                #expect(c == want)
            }
        }
    }
}
