import CKernels
import TestSupport
import Testing

@testable import Tensors

/// Long dot products, which are divided into parts.
@Suite("Long dot products")
struct DeepProductTests {
    /// Returns values -1, 0 and 1, whose sums are exact in any order.
    private func signs(_ count: Int, seed: UInt64) -> [Float] {
        randomFloats(count, seed: seed).map { $0.rounded() }
    }

    @Test("sums of small integers are exact in every float format", arguments: floatTables)
    func exact(table: FloatTable) {
        let (m, k, n) = (29, 4500, 70)
        let panels = (n + 31) / 32
        let (a, w) = (signs(m * k, seed: 1), signs(panels * 32 * k, seed: 2))
        let (bias, before) = (signs(panels * 32, seed: 3), signs(m * n, seed: 4))
        let formats = table.kernels.formats
        let operands = [formats.f32, formats.bf16, formats.f16, formats.bf16x2].map { format in
            var packed = [UInt32](repeating: 0, count: panels * format.panelBytes(k) / 4)
            format.pack_rows!(w, k, n, k, &packed, nil, nil)
            return (FormatRows(a, rows: m, inputs: k, for: format), packed)
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
            for (rows, packed) in operands {
                var c = before
                rows.multiply(packed, bias: bias, into: &c, columns: n, epilogue)
                #expect(c == want)
            }
        }
    }
}
