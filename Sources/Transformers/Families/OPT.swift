extension Architecture {
    /// Decoder with layer norms before the branches, learned positions, biases and ReLU.
    ///
    /// Source: Zhang et al., "OPT", arXiv 2205.01068.
    public static let opt = Architecture(
        name: "opt", isCausal: true, positions: .learned,
        layer: LayerRecipe(
            norm: .layer, normPlace: .pre, activation: .relu,
            biases: [.attentionBiases, .feedForwardBiases]))
}

extension Family {
    /// OPT.
    ///
    /// Its position embedding has two rows more than `max_position_embeddings`.
    public static let opt = Family(
        name: "opt", className: "OPT", examples: "OPT except 350m", architecture: .opt,
        config: .opt,
        tensors: TensorLayout(prefixes: ["decoder.", "model.decoder."]) { .opt(prefix: $0) })
}

extension ConfigConventions {
    fileprivate static let opt = ConfigConventions(
        fieldNames: ["intermediate_size": "ffn_dim", "hidden_act": "activation_function"],
        usualPositions: 2048, reservedPositions: .additional(2), usualNormEpsilon: 1e-5,
        usuallyTiesHead: true, usualBeginning: [2], usualEnd: [2],
        fixedWeights: [.attentionBiases, .feedForwardBiases],
        copiesOfHiddenSize: ["word_embed_proj_dim"])
}

extension TensorNames {
    /// The names of Hugging Face's `OPTForCausalLM`, or of `OPTModel` with the prefix `decoder.`.
    public static func opt(prefix: String = "model.decoder.") -> TensorNames {
        TensorNames(
            layerPrefix: { "\(prefix)layers.\($0)." },
            query: "self_attn.q_proj", key: "self_attn.k_proj", value: "self_attn.v_proj",
            output: "self_attn.out_proj", attentionNorm: "self_attn_layer_norm", up: "fc1",
            down: "fc2", feedForwardNorm: "final_layer_norm", tokens: "\(prefix)embed_tokens",
            positions: "\(prefix)embed_positions", finalNorm: "\(prefix)final_layer_norm",
            head: "lm_head")
    }
}
