extension Architecture {
    /// Decoder with RMS norms before the branches, rotary positions, grouped queries and SwiGLU.
    ///
    /// Source: Touvron et al., arXiv 2302.13971; grouped queries: arXiv 2305.13245.
    public static let llama = Architecture(
        name: "llama", isCausal: true, positions: .rotary, canNarrow: true,
        layer: LayerRecipe(
            norm: .rootMeanSquare, normPlace: .pre, activation: .silu, isGated: true))
}

extension Family {
    /// Llama.
    public static let llama = Family(
        name: "llama", className: "Llama", examples: "SmolLM2, TinyLlama, Llama 2 and 3",
        architecture: .llama, config: .llamaItself, tensors: .llama, gguf: .llama)
}

extension ConfigConventions {
    fileprivate static let llamaItself = {
        var config = llama(usualPositions: 2048)
        config.dividesWidthByHeads = true
        (config.usualBeginning, config.usualEnd) = ([1], [2])
        config.weightSwitches = [
            WeightSwitch(field: "attention_bias", weights: .attentionBiases),
            WeightSwitch(field: "mlp_bias", weights: .feedForwardBiases),
        ]
        return config
    }()

    /// The conventions that Llama shares with families that derive from it.
    static func llama(usualPositions: Int) -> ConfigConventions {
        ConfigConventions(
            usualPositions: usualPositions, normEpsilonField: "rms_norm_eps",
            usualNormEpsilon: 1e-6, usuallyTiesHead: false, headDimension: .field(usual: nil),
            keyValueHeads: .field(usual: nil))
    }
}

extension TensorLayout {
    /// Llama's names, with and without an output head.
    static let llama = TensorLayout(prefixes: ["", "model."]) { .llama(prefix: $0) }
}

extension GGUFArchitectures {
    /// The architectures of Llama and of families that llama.cpp computes in the same way.
    static let llama = GGUFArchitectures(uniform: "llama", byLayer: "deci")
}

extension TensorNames {
    /// The names of Hugging Face's `LlamaForCausalLM`, or of `LlamaModel` with an empty prefix.
    public static func llama(prefix: String = "model.") -> TensorNames {
        TensorNames(
            layerPrefix: { "\(prefix)layers.\($0)." },
            query: "self_attn.q_proj", key: "self_attn.k_proj", value: "self_attn.v_proj",
            output: "self_attn.o_proj", queryNorm: "self_attn.q_norm", keyNorm: "self_attn.k_norm",
            attentionNorm: "input_layernorm", gate: "mlp.gate_proj", up: "mlp.up_proj",
            down: "mlp.down_proj", feedForwardNorm: "post_attention_layernorm",
            tokens: "\(prefix)embed_tokens", finalNorm: "\(prefix)norm", head: "lm_head")
    }
}
