import CKernels
import Foundation
import TestSupport
import Testing

/// The sizes of a product.
///
/// Among all sizes, `k` has every remainder modulo 4.
struct ProductSizes: CustomTestStringConvertible {
    let m: Int
    let k: Int
    let n: Int
    var testDescription: String { "\(m) × \(k) × \(n)" }

    static let all = [
        (1, 1, 1), (1, 577, 100), (2, 7, 31), (5, 64, 32), (11, 33, 33), (12, 18, 64),
        (13, 50, 96), (29, 131, 65), (3, 0, 40),
    ].map { ProductSizes(m: $0.0, k: $0.1, n: $0.2) }
}

/// Applies an epilogue to sums `[m, outputs]` in f64.
///
/// For a gated epilogue, 16 gates come before their 16 ups.
func finished(
    _ sums: [Double], bias: [Float], before: [Float], n: Int, _ epilogue: ck_epilogue
) -> [Float] {
    let outputs = bias.count
    return before.indices.map { index in
        let (row, column) = (index / n, index % n)
        func value(_ output: Int) -> Double { sums[row * outputs + output] + Double(bias[output]) }
        switch epilogue {
        case ck_epilogue_add: return Float(value(column) + Double(before[index]))
        default:
            guard isGated(epilogue) else { return Float(activated(value(column), epilogue)) }
            let gate = activated(value(column / 16 * 32 + column % 16), epilogue)
            return Float(gate * value(column / 16 * 32 + 16 + column % 16))
        }
    }
}

/// Whether a panel has 16 outputs of a gate projection and 16 of an up projection.
func isGated(_ epilogue: ck_epilogue) -> Bool { gatedEpilogues.contains(epilogue) }

/// The errors of the functions of an epilogue in products of numbers with 8 or 16 bits, in addition
/// to those of f32.
///
/// Tables with tile registers use coarser functions there. A gate's error is multiplied by the other
/// factor, which is one of the sums.
func functionError(
    _ table: FloatTable, _ epilogue: ck_epilogue, _ sums: [Double]
) -> (absolute: Float, relative: Float) {
    let exact = [
        ck_epilogue_store, ck_epilogue_add, ck_epilogue_relu, ck_epilogue_gated_relu,
    ]
    guard table.kernels.attend_bf16 != nil, !exact.contains(epilogue) else { return (0, 0) }
    let factor = isGated(epilogue) ? sums.reduce(0) { max($0, abs($1)) } : 0
    return (2e-4 * Float(1 + factor), 6e-5)
}

/// Applies the function of an epilogue to an output, or to a gate.
func activated(_ y: Double, _ epilogue: ck_epilogue) -> Double {
    switch epilogue {
    case ck_epilogue_gelu, ck_epilogue_gated_gelu: 0.5 * y * (1 + erf(y / 2.0.squareRoot()))
    case ck_epilogue_tanh_gelu, ck_epilogue_gated_tanh_gelu: tanhGELU(y)
    case ck_epilogue_relu, ck_epilogue_gated_relu: max(y, 0)
    case ck_epilogue_silu, ck_epilogue_swiglu: y / (1 + exp(-y))
    default: y
    }
}

let gatedEpilogues = [
    ck_epilogue_swiglu, ck_epilogue_gated_gelu, ck_epilogue_gated_tanh_gelu,
    ck_epilogue_gated_relu,
]

let epilogues =
    [
        ck_epilogue_store, ck_epilogue_add, ck_epilogue_gelu, ck_epilogue_tanh_gelu,
        ck_epilogue_relu, ck_epilogue_silu,
    ] + gatedEpilogues

/// The tanh approximation of GELU.
func tanhGELU(_ y: Double) -> Double {
    0.5 * y * (1 + tanh((2 / Double.pi).squareRoot() * (y + 0.044715 * y * y * y)))
}

/// Returns the nearer of the two bfloat16 values around a finite value.
private func nearestBFloat16(_ value: Float) -> Float {
    let below = Float(bitPattern: value.bitPattern & 0xffff_0000)
    let above = Float(bitPattern: (value.bitPattern & 0xffff_0000) &+ 0x1_0000)
    let (down, up) = (abs(Double(value) - Double(below)), abs(Double(above) - Double(value)))
    if down == up { return below.bitPattern >> 16 & 1 == 0 ? below : above }
    return down < up ? below : above
}

@Suite("bfloat16 kernels of every instruction set")
struct BFloat16KernelTests {
    @Test(
        "bfloat16 products agree with f64 sums over rounded weights", arguments: floatTables,
        ProductSizes.all)
    func bfloat16(table: FloatTable, sizes: ProductSizes) {
        let (m, k, n) = (sizes.m, sizes.k, sizes.n)
        let format = table.kernels.formats.bf16
        let (panels, pairs) = ((n + 31) / 32, (k + 1) / 2)
        let outputs = panels * 32
        let a = randomFloats(m * k, seed: 1)
        let w = randomFloats(outputs * k, seed: 2)
        let bias = randomFloats(outputs, seed: 3)
        var packed = [UInt16](repeating: 0, count: max(panels * 64 * pairs, 1))
        format.pack_rows!(w, k, outputs, k, &packed, nil, nil)
        let rows = FormatRows(a, rows: m, inputs: k, for: format)
        #expect(rows.words.last == 42, "wrote past the rows")
        let inputs = rows.isConverted ? a.map(nearestBFloat16) : a
        var sums = [Double](repeating: 0, count: m * outputs)
        for index in sums.indices {
            for i in 0..<k {
                sums[index] +=
                    Double(inputs[index / outputs * k + i])
                    * Double(nearestBFloat16(w[index % outputs * k + i]))
            }
        }
        for epilogue in epilogues {
            let columns = isGated(epilogue) ? (n + 1) / 2 : n
            let before = randomFloats(m * columns, seed: 4)
            var c = before + [42]
            rows.multiply(packed, bias: bias, into: &c, columns: columns, epilogue)
            #expect(c.removeLast() == 42, "wrote past the product")
            let error = functionError(table, epilogue, sums)
            expectClose(
                c, finished(sums, bias: bias, before: before, n: columns, epilogue),
                absolute: 5e-5 + error.absolute, relative: 2e-5 + error.relative)
        }
    }

    @Test("bfloat16 rounds to the nearest, ties to even", arguments: floatTables)
    func rounding(table: FloatTable) {
        let ties = [0x3f80_8000, 0x3f81_8000, 0x3f80_8001, 0x3f80_7fff, 0x0000_8000, 0x8001_8000]
            .map { Float(bitPattern: $0) }
        let values = ties + randomFloats(51, seed: 1, in: -1e6...1e6) + [-0.0, 3.38e38]
        func packed(_ values: [Float]) -> [Float] {
            var halves = [UInt16](repeating: 0, count: (values.count + 1) / 2 * 64)
            table.kernels.formats.bf16.pack_rows!(
                values, values.count, 1, values.count, &halves, nil, nil)
            return values.indices.map {
                Float(bitPattern: UInt32(halves[$0 / 2 * 64 + $0 % 2]) << 16)
            }
        }
        #expect(packed(values) == values.map(nearestBFloat16))
        var columns = [UInt16](repeating: 42, count: (values.count + 1) / 2 * 64)
        table.kernels.formats.bf16.pack_columns!(values, 1, values.count, 1, &columns)
        for (index, value) in values.enumerated() {
            let half = columns[index / 2 * 64 + index % 2]
            #expect(Float(bitPattern: UInt32(half) << 16) == nearestBFloat16(value))
        }
        // A value half a step above the largest bfloat16 is rounded to infinity.
        let ends = packed([3.4e38, .infinity, -.infinity])
        #expect(ends == [.infinity, .infinity, -.infinity])
        let nans = packed([.nan, Float(bitPattern: 0x7fff_ffff)])
        #expect(nans[0].isNaN && nans[1].isNaN)
    }

    @Test(
        "weight gradients of rounded operands agree with f64", arguments: floatTables,
        [(1, 1, 1), (5, 13, 40), (385, 60, 70), (900, 50, 33)])
    func gradients(table: FloatTable, sizes: (rows: Int, outputs: Int, inputs: Int)) {
        guard let product = table.kernels.formats.bf16.transposed_product else { return }
        checkTransposedProduct(product, sizes) { operands, got in
            let sum = operands.reduce(0.0) {
                $0 + Double(nearestBFloat16($1.0)) * Double(nearestBFloat16($1.1))
            }
            #expect(abs(got - sum) <= 1e-5 * (1 + abs(sum)))
        }
    }
}

/// Computes `1 + aᵀ · b` with a table, and calls `check` for each element.
///
/// `check` receives the operands of the sum, which have very different sizes, and the sum without
/// the 1. The panels are computed one after another.
func checkTransposedProduct(
    _ product: (
        UnsafePointer<Float>, Int, Int, Int, UnsafePointer<Float>, Int, Int, Int,
        UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>
    ) -> Void, _ sizes: (rows: Int, outputs: Int, inputs: Int),
    _ check: (_ operands: [(Float, Float)], _ got: Double) -> Void
) {
    let (rows, outputs, inputs) = sizes
    let a = randomFloats(rows * outputs, seed: 1).map { $0 * 1e-4 }
    let b = randomFloats(rows * inputs, seed: 2).map { $0 * 300 }
    let padded = (inputs + 31) / 32 * 32
    var c = [Float](repeating: 1, count: outputs * inputs + 1)
    c[outputs * inputs] = 42
    var scratch = [Float](
        repeating: 0, count: Int(ck_slab_rows) * (padded + Int(ck_tile_columns)))
    for first in stride(from: 0, to: inputs, by: 32) {
        product(
            a, outputs, rows, outputs, b, inputs, first, min(first + 32, inputs), &c, &scratch)
    }
    #expect(c.removeLast() == 42, "wrote past the product")
    for (index, got) in c.enumerated() {
        let (output, input) = index.quotientAndRemainder(dividingBy: inputs)
        let operands = (0..<rows).map { (a[$0 * outputs + output], b[$0 * inputs + input]) }
        check(operands, Double(got) - 1)
    }
}
