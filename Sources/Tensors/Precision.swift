import CKernels

/// How weights are stored and products computed.
///
/// Norms, embeddings that no output head shares, and sums of residual branches are in
/// 32-bit floats in every precision, and so is attention but for `int8`.
public enum Precision: String, Codable, Hashable, Sendable, CaseIterable {
    /// Weights, activations and sums in 32-bit floats.
    case f32
    /// Weights in half precision, sums in 32-bit floats; where the processor has such arithmetic,
    /// activations in half precision too, with a power of two for each token, and sums of 96
    /// products. No weight may be greater than 1023.
    case f16
    /// Weights in bfloat16, sums in 32-bit floats; activations in bfloat16 where the processor
    /// multiplies such pairs.
    case bf16
    /// Weights in 8 bits with a scale for each output, activations in 8 bits with a scale and a
    /// zero point for each token, sums in 32-bit integers; attention of several tokens over 16-bit integers where the
    /// processor has instructions for them.
    case int8

    /// Bits of one weight.
    public var bits: Int { Int(format.bits) }

    /// The greatest magnitude of a weight that is packed as it is; nil if any float is.
    public var greatestWeight: Float? {
        format.greatest_weight.isFinite ? format.greatest_weight : nil
    }

    /// The fastest kernels that this processor has for weights that are stored so.
    var format: ck_format { fastestKernels.formats[self] }
}

extension ck_formats {
    /// The row of the table for a precision.
    subscript(precision: Precision) -> ck_format {
        switch precision {
        case .f32: f32
        case .f16: f16
        case .bf16: bf16
        case .int8: int8
        }
    }
}

/// The fastest kernels of this processor: a constant table of plain C functions, which any thread
/// may call.
nonisolated(unsafe) let fastestKernels = ck_table(0)!.pointee
