import CKernels

/// The precision of the weights and of their products.
///
/// Norms, embeddings that are not tied to the output head, and the residual stream are in 32-bit
/// floats in every precision. So is attention, except with `int8` and `int4`.
public enum Precision: String, Codable, CodingKeyRepresentable, Hashable, Sendable, CaseIterable {
    /// Weights, activations and sums in 32-bit floats.
    case f32
    /// Weights and activations that are the sum of two terms in bfloat16, if the processor
    /// multiplies tiles of bfloat16. They differ from f32 by at most 2⁻¹⁷ of their magnitude. Sums
    /// are in 32-bit floats. On other processors this is the same as `f32`.
    ///
    /// The name is that of oneMKL's mode of computation.
    case bf16x2
    /// Weights in half precision, with magnitudes up to 1023. Sums are in 32-bit floats. If the
    /// processor has half-precision arithmetic, activations are in half precision too, scaled by a
    /// power of two for each token, and 96 products are summed in half precision.
    case f16
    /// Weights in bfloat16. Sums are in 32-bit floats. Activations are in bfloat16 if the processor
    /// multiplies pairs of bfloat16.
    case bf16
    /// Weights in 8 bits with a scale for each output. Activations are in 8 bits, with a scale and
    /// a zero point for each token. Sums are in 32-bit integers. Attention of several tokens
    /// computes with 16-bit integers if the processor has instructions for them.
    case int8
    /// Weights in 4 bits with a 16-bit scale for each group of 32 inputs of an output: the numbers
    /// of ggml's Q4_0. Activations are in 8 bits, with a scale for each group of 32. Sums of a
    /// group are in integers, and sums of groups are in 32-bit floats. Attention is that of `int8`.
    case int4

    /// The number of bits of one weight, with its share of a group's scale.
    public var bits: Double {
        Double(8 * format.unit_bytes) / Double(ck_panel * Int(format.unit_inputs))
    }

    /// The number of inputs that one operation of ``Engine/spinArithmetic(repeats:precision:seed:)``
    /// multiplies.
    public var unitInputs: Int { Int(format.unit_inputs) }

    /// Whether weights are stored as integers with scales.
    public var isInteger: Bool { self == .int8 || self == .int4 }

    /// The maximum magnitude of a weight; nil if there is no limit.
    public var maximumWeight: Float? {
        format.max_weight.isFinite ? format.max_weight : nil
    }

    /// The number of inputs that fill a step of the processor's tile registers; nil if products of
    /// this precision do not use them.
    public var tileInputs: Int? { format.tile_inputs > 0 ? Int(format.tile_inputs) : nil }

    /// The fastest kernels of this processor for weights of this precision.
    var format: ck_format { selectedKernels.formats[self] }
}

extension ck_formats {
    /// The format that belongs to a precision.
    subscript(precision: Precision) -> ck_format {
        switch precision {
        case .f32: f32
        case .f16: f16
        case .bf16: bf16
        case .int8: int8
        case .int4: int4
        case .bf16x2: bf16x2
        }
    }

    /// Returns the format in which `multiplyTransposed` computes at a precision.
    ///
    /// The format is f32 if the processor has no instructions for the precision.
    func transposing(_ precision: Precision) -> ck_format {
        self[precision].transposed_product == nil ? f32 : self[precision]
    }
}

extension ck_format {
    /// The number of units of an output with this number of inputs.
    private func units(_ inputs: Int) -> Int {
        let step = max(1, Int(padding))
        let padded = (inputs + step - 1) / step * step
        return (padded + Int(unit_inputs) - 1) / Int(unit_inputs)
    }

    /// The number of bytes of a panel of outputs with this number of inputs.
    func panelBytes(_ inputs: Int) -> Int { units(inputs) * Int(unit_bytes) }

    /// The number of bytes of a row of converted activations.
    func rowBytes(_ inputs: Int) -> Int { units(inputs) * Int(row_bytes) }
}

/// Kernels that only some formats have.
extension ck_format {
    /// Packs rows of floats, as `pack_rows` does.
    ///
    /// - Precondition: The format packs floats, not blocks.
    func packRows(
        _ source: UnsafePointer<Float>, stride: Int, rows: Int, columns: Int,
        into panels: UnsafeMutableRawPointer, scales: UnsafeMutablePointer<Float>? = nil,
        sums: UnsafeMutablePointer<Int32>? = nil
    ) {
        guard let pack = pack_rows else { preconditionFailure("a format of blocks") }
        pack(source, stride, rows, columns, panels, scales, sums)
    }

    /// Packs a matrix whose rows are inputs and whose columns are outputs.
    ///
    /// - Precondition: The format is neither int8 nor int4.
    func packColumns(
        of source: UnsafePointer<Float>, stride: Int, rows: Int, columns: Int,
        into panels: UnsafeMutableRawPointer
    ) {
        guard let pack = pack_columns else {
            preconditionFailure("int8 weights cannot be packed from a transpose")
        }
        pack(source, stride, rows, columns, panels)
    }

    /// Computes `c += aᵀ · b` for some columns of b.
    ///
    /// - Precondition: The processor has instructions for this product.
    func multiplyTransposed(
        _ a: UnsafePointer<Float>, stride: Int, rows: Int, columns: Int, _ b: UnsafePointer<Float>,
        width: Int, only range: Range<Int>, addingTo c: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>
    ) {
        guard let product = transposed_product else {
            preconditionFailure("this processor cannot multiply a transpose in this format")
        }
        product(
            a, stride, rows, columns, b, width, range.lowerBound, range.upperBound, c, scratch)
    }
}
