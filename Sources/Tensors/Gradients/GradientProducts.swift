import CKernels

/// The matrix products of the gradient of attention, in f32, in bf16, or in two terms of bf16.
///
/// In bf16, the memory of one float holds two values.
struct GradientProducts {
    let kernels: ck_kernels
    /// The number of queries that are multiplied together.
    ///
    /// It fills groups of 32 rows of tile registers.
    let queryBlock: Int
    private let format: ck_format

    init(_ kernels: ck_kernels, _ precision: Precision) {
        self.kernels = kernels
        let hasOwn = precision == .bf16 || precision == .bf16x2
        format = kernels.formats.transposing(hasOwn ? precision : .f32)
        queryBlock = format.tile_inputs > 0 ? 96 : 72
    }

    /// Packs a matrix.
    ///
    /// Each row is one output of the product, or one input if `asInputs` is true.
    func pack(
        _ source: UnsafePointer<Float>, _ stride: Int, _ count: Int, _ width: Int,
        asInputs: Bool = false, into panels: UnsafeMutablePointer<Float>
    ) {
        if asInputs {
            format.packColumns(
                of: source, stride: stride, rows: count, columns: width, into: panels)
        } else {
            format.packRows(
                source, stride: stride, rows: count, columns: width, into: panels)
        }
    }

    /// The number of floats of memory for `inputs` inputs of an output.
    func depth(_ inputs: Int) -> Int {
        format.rowBytes(inputs) / MemoryLayout<Float>.stride
    }

    /// Returns the rows of `a`, converted for ``multiply(_:_:rows:inputs:_:into:_:columns:)``, and
    /// their stride in floats.
    func operand(
        _ a: UnsafeMutablePointer<Float>, _ stride: Int, rows: Int, inputs: Int,
        rounded: UnsafeMutablePointer<Float>
    ) -> (UnsafeMutablePointer<Float>, Int) {
        guard let convert = format.convert else { return (a, stride) }
        let pairs = depth(inputs)
        var (scale, zero): (Float, Int32) = (1, 0)
        for row in 0..<rows {
            convert(a + row * stride, inputs, 1, rounded + row * pairs, 4 * pairs, &scale, &zero)
        }
        return (rounded, pairs)
    }

    /// Computes `c = a · Wᵀ`, with packed W.
    func multiply(
        _ a: UnsafeMutablePointer<Float>, _ stride: Int, rows: Int, inputs: Int,
        _ panels: UnsafeMutablePointer<Float>, into c: UnsafeMutablePointer<Float>,
        _ resultStride: Int, columns: Int
    ) {
        format.product(
            ck_operand(
                values: a, stride: stride * MemoryLayout<Float>.stride, terms: 1, scales: nil,
                zeros: nil),
            rows, inputs, ck_weights(panels: panels, scales: nil, sums: nil), nil, c, resultStride,
            columns, ck_epilogue_store)
    }

    /// Computes `c += aᵀ · b` for a with `columns` columns and b with `width` columns.
    func addTransposed(
        _ a: UnsafePointer<Float>, rows: Int, columns: Int, _ b: UnsafePointer<Float>,
        width: Int, to c: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        format.multiplyTransposed(
            a, stride: columns, rows: rows, columns: columns, b, width: width, only: 0..<width,
            addingTo: c, scratch: scratch)
    }
}
