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
    fileprivate static let gemma2 = {
        var config = llama(usualPositions: 8192)
        config.fieldNames = ["hidden_act": "hidden_activation"]
        config.usuallyTiesHead = true
        config.headDimension = .field(usual: 256)
        config.keyValueHeads = .field(usual: 4)
        config.dividesWidthByHeads = true
        config.window = .sliding(ifSet: nil, usual: 4096, in: .exceptMultiples(usual: 2))
        (config.usualBeginning, config.usualEnd, config.usualPadding) = ([2], [1], [0])
        config.weightSwitches = [
            WeightSwitch(field: "attention_bias", weights: .attentionBiases)
        ]
        config.factors = FactorFields(
            embeddings: .rootOfHiddenSize,
            scores: .inverseRoot("query_pre_attn_scalar", usual: 256),
            scoreCap: FactorFields.Cap("attn_logit_softcapping", usual: 50),
            logitCap: FactorFields.Cap("final_logit_softcapping", usual: 30))
        config.neutralFields = ["use_bidirectional_attention": [.bool(false)]]
        return config
    }()
}
