internal import ModelFiles

extension Family {
    /// Qwen2: Llama with biases on queries, keys and values.
    ///
    /// Source: Yang et al., arXiv 2407.10671.
    public static let qwen2 = Family(
        name: "qwen2", className: "Qwen2", examples: "Qwen2, Qwen2.5", architecture: .llama,
        config: .qwen2, tensors: .llama, gguf: .llama)
}

extension ConfigConventions {
    fileprivate static let qwen2 = {
        var config = llama(usualPositions: 32_768)
        config.keyValueHeads = .field(usual: 32)
        config.window = .sliding(
            ifSet: "use_sliding_window", usual: 4096, in: .fromIndex(usual: 28))
        config.fixedWeights = .attentionInputBiases
        config.neutralFields = ["attention_bias": [.bool(false)]]
        return config
    }()
}
