extension Family {
    /// Qwen3: Llama with norms on the heads of queries and keys.
    ///
    /// Source: Yang et al., arXiv 2505.09388.
    public static let qwen3 = Family(
        name: "qwen3", className: "Qwen3", examples: "Qwen3, Qwen3-Embedding",
        architecture: .llama, config: .qwen3, tensors: .llama)
}

extension ConfigConventions {
    fileprivate static let qwen3 = {
        var config = llama(usualPositions: 32_768)
        config.headDimension = .field(usual: 128)
        config.keyValueHeads = .field(usual: 32)
        config.window = .sliding(
            ifSet: "use_sliding_window", usual: 4096, in: .fromIndex(usual: 28))
        config.fixedWeights = .headNorms
        config.weightSwitches = [
            WeightSwitch(field: "attention_bias", weights: .attentionBiases)
        ]
        return config
    }()
}
