internal import ModelFiles

extension Family {
    /// Mistral: Llama with an attention window.
    ///
    /// Source: Jiang et al., arXiv 2310.06825.
    public static let mistral = Family(
        name: "mistral", className: "Mistral", examples: "Mistral 7B", architecture: .llama,
        config: .mistral, tensors: .llama, gguf: .llama)
}

extension ConfigConventions {
    fileprivate static let mistral = {
        var config = llama(usualPositions: 131_072)
        config.keyValueHeads = .field(usual: 8)
        config.window = .sliding(ifSet: nil, usual: 4096, in: .all)
        (config.usualBeginning, config.usualEnd) = ([1], [2])
        config.neutralFields = ["attention_bias": [.bool(false)]]
        return config
    }()
}
