extension Family {
    /// Phi-3: Llama with fused projections, an attention window in some models, and rotary positions
    /// on a part of each head in others.
    ///
    /// Source: Abdin et al., arXiv 2404.14219.
    public static let phi3 = Family(
        name: "phi3", className: "Phi3", examples: "Phi-3-mini-4k, Phi-4", architecture: .llama,
        config: .phi3, tensors: TensorLayout(prefixes: ["", "model."]) { .phi3(prefix: $0) })
}

extension ConfigConventions {
    fileprivate static let phi3 = {
        var config = llama(usualPositions: 4096)
        config.usualNormEpsilon = 1e-5
        config.usualRotaryShare = 1
        config.window = .sliding(ifSet: nil, usual: nil, in: .all)
        (config.usualBeginning, config.usualEnd, config.usualPadding) = ([1], [32000], [32000])
        return config
    }()
}

extension TensorNames {
    /// The names of Hugging Face's `Phi3ForCausalLM`, or of `Phi3Model` with an empty prefix.
    public static func phi3(prefix: String = "model.") -> TensorNames {
        var names = llama(prefix: prefix)
        (names.query, names.key, names.value) = (
            "self_attn.qkv_proj", "self_attn.qkv_proj", "self_attn.qkv_proj"
        )
        (names.gate, names.up) = ("mlp.gate_up_proj", "mlp.gate_up_proj")
        (names.queryNorm, names.keyNorm) = (nil, nil)
        return names
    }
}
