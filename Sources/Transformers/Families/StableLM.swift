extension Architecture {
    /// Decoder with layer norms before the branches, rotary positions on a part of each head,
    /// grouped queries and SwiGLU.
    ///
    /// Source: Bellagente et al., arXiv 2402.17834.
    public static let stableLM = Architecture(
        name: "stablelm", isCausal: true, positions: .rotary,
        layer: LayerRecipe(norm: .layer, normPlace: .pre, activation: .silu, isGated: true))
}

extension Family {
    /// StableLM 2, without parallel branches and without norms of heads.
    public static let stableLM = Family(
        name: "stablelm", className: "StableLm", examples: "StableLM 2 1.6B",
        architecture: .stableLM, config: .stableLM, tensors: .llama)
}

extension ConfigConventions {
    fileprivate static let stableLM = ConfigConventions(
        usualPositions: 4096, normEpsilonField: "layer_norm_eps", usualNormEpsilon: 1e-5,
        usuallyTiesHead: false, usualRotaryShare: 0.25, keyValueHeads: .field(usual: 32),
        dividesWidthByHeads: true, usualBeginning: [0], usualEnd: [0],
        weightSwitches: [WeightSwitch(field: "use_qkv_bias", weights: .attentionInputBiases)])
}
