internal import ModelFiles

extension Architecture {
    /// Decoder with RMS norms before and after the branches, rotary positions, grouped queries, and
    /// GELU with a gate.
    ///
    /// Source: Riviere et al., "Gemma 2", arXiv 2408.00118.
    public static let gemma2 = Architecture(
        name: "gemma2", isCausal: true, positions: .rotary, layer: gemma3.layer)
}

extension Family {
    /// Gemma 2, with soft caps of scores and logits, and attention windows in every other layer.
    public static let gemma2 = Family(
        name: "gemma2", className: "Gemma2", examples: "Gemma 2 2B, 9B and 27B",
        architecture: .gemma2, config: .gemma2,
        tensors: TensorLayout(prefixes: ["", "model."]) { .gemma3(prefix: $0) })
}

extension ConfigConventions {
    fileprivate static let gemma2 = gemma(
        usualPositions: 8192, windowPattern: 2, scoreCap: 50, logitCap: 30)
}
