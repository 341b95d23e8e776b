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
    public var bits: Int {
        switch self {
        case .f32: 32
        case .f16, .bf16: 16
        case .int8: 8
        }
    }
}
