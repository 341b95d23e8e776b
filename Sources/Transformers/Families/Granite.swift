extension Family {
    /// Granite: Llama with factors on embeddings, branches, attention scores and logits.
    ///
    /// Source: Yang et al., "Tensor Programs V" (µP), arXiv 2203.03466.
    public static let granite = Family(
        name: "granite", className: "Granite", examples: "Granite 3.0 to 3.3 dense",
        architecture: .llama, config: .granite, tensors: .llama)
}

extension ConfigConventions {
    fileprivate static let granite = {
        var config = llama(usualPositions: 2048)
        (config.usualBeginning, config.usualEnd) = ([1], [2])
        config.weightSwitches = [
            WeightSwitch(field: "attention_bias", weights: .attentionBiases),
            WeightSwitch(field: "mlp_bias", weights: .feedForwardBiases),
        ]
        config.factors = FactorFields(
            embeddings: .field("embedding_multiplier", usual: 1),
            branches: .field("residual_multiplier", usual: 1),
            scores: .field("attention_multiplier", usual: 1),
            logits: .divisor("logits_scaling", usual: 1))
        return config
    }()
}
