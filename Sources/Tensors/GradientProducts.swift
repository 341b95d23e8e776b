import CKernels

/// The products of attention's gradient: of floats, or of pairs of bfloat16, which are packed in
/// memory for floats.
struct GradientProducts {
    let kernels: ck_kernels
    private let halves: (round: Rounding, transposed: TransposedProduct)?

    private typealias Rounding =
        @convention(c) (
            UnsafePointer<Float>, Int, UnsafeMutablePointer<UInt16>
        ) -> Void
    private typealias TransposedProduct =
        @convention(c) (
            UnsafePointer<Float>, Int, Int, Int, UnsafePointer<Float>, Int, Int, Int,
            UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>
        ) -> Void

    init(_ kernels: ck_kernels, _ precision: Precision) {
        self.kernels = kernels
        if precision == .bf16, let round = kernels.round_bf16,
            let transposed = kernels.transposed_product_bf16
        {
            halves = (round, transposed)
        } else {
            halves = nil
        }
    }

    /// Packs rows as outputs, or as inputs.
    func pack(
        _ source: UnsafePointer<Float>, _ stride: Int, _ count: Int, _ width: Int,
        asInputs: Bool = false, into panels: UnsafeMutablePointer<Float>
    ) {
        if halves == nil {
            let pack = asInputs ? kernels.pack_columns_f32 : kernels.pack_rows_f32
            pack(source, stride, count, width, panels)
        } else {
            let pack = asInputs ? kernels.pack_columns_bf16 : kernels.pack_rows_bf16
            pack(source, stride, count, width, panels.pairs)
        }
    }

    /// The number of floats that hold a number of inputs of an output.
    func depth(_ inputs: Int) -> Int { halves == nil ? inputs : (inputs + 1) / 2 }

    /// Rows of `inputs` inputs in the form that ``multiply(_:_:rows:inputs:_:into:_:columns:)``
    /// reads, and their stride.
    func operand(
        _ a: UnsafeMutablePointer<Float>, _ stride: Int, rows: Int, inputs: Int,
        rounded: UnsafeMutablePointer<Float>
    ) -> (UnsafeMutablePointer<Float>, Int) {
        guard let halves else { return (a, stride) }
        let pairs = depth(inputs)
        for row in 0..<rows {
            halves.round(a + row * stride, inputs, (rounded + row * pairs).pairs)
        }
        return (rounded, pairs)
    }

    /// `c = a · Wᵀ`, W packed.
    func multiply(
        _ a: UnsafeMutablePointer<Float>, _ stride: Int, rows: Int, inputs: Int,
        _ panels: UnsafeMutablePointer<Float>, into c: UnsafeMutablePointer<Float>,
        _ resultStride: Int, columns: Int
    ) {
        guard halves != nil else {
            return kernels.gemm_f32(
                a, stride, rows, inputs, panels, nil, c, resultStride, columns,
                ck_epilogue_store)
        }
        kernels.gemm_bf16(
            a, nil, stride, rows, inputs, panels.pairs, nil, c, resultStride, columns,
            ck_epilogue_store)
    }

    /// `c += aᵀ · b`, where a has `columns` columns and b has `width`.
    func addTransposed(
        _ a: UnsafePointer<Float>, rows: Int, columns: Int, _ b: UnsafePointer<Float>,
        width: Int, to c: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        let product = halves?.transposed ?? kernels.transposed_product_f32
        product(a, columns, rows, columns, b, width, 0, width, c, scratch)
    }
}

extension UnsafeMutablePointer<Float> {
    /// The same memory as pairs of 16 bits.
    fileprivate var pairs: UnsafeMutablePointer<UInt16> {
        UnsafeMutableRawPointer(self).assumingMemoryBound(to: UInt16.self)
    }
}
