internal import ModelFiles

extension Architecture {
    /// Decoder with layer norms before the branches and after the embeddings, ALiBi positions,
    /// biases, and the tanh approximation of GELU.
    ///
    /// Source: BigScience, "BLOOM", arXiv 2211.05100.
    public static let bloom = Architecture(
        name: "bloom", isCausal: true, positions: .biasesOnly, normalisesEmbeddings: true,
        layer: LayerRecipe(
            norm: .layer, normPlace: .pre, activation: .tanhGELU,
            biases: [.attentionBiases, .feedForwardBiases]))
}

extension Family {
    /// BLOOM.
    ///
    /// One tensor has the query, key and value projections of one head after another.
    public static let bloom = Family(
        name: "bloom", className: "Bloom", examples: "BLOOM 560m, BLOOMZ", architecture: .bloom,
        config: .bloom,
        tensors: TensorLayout(prefixes: ["", "transformer."]) { .bloom(prefix: $0) })
}

extension ConfigConventions {
    fileprivate static let bloom = ConfigConventions(
        fieldNames: [
            "num_hidden_layers": "n_layer", "num_attention_heads": "n_head",
            "max_position_embeddings": "seq_length", "layer_norm_eps": "layer_norm_epsilon",
        ],
        otherNames: [
            "num_hidden_layers": "n_layer", "num_attention_heads": "n_head",
            "n_embed": "hidden_size",
        ],
        usualPositions: 2048, normEpsilonField: "layer_norm_eps", usualNormEpsilon: 1e-5,
        usuallyTiesHead: true, dividesWidthByHeads: true, usualFeedForwardRatio: 4,
        readsFeedForward: false, usualBeginning: [1], usualEnd: [2],
        fixedWeights: [.attentionBiases, .feedForwardBiases],
        biases: { .slopes(heads: $0) },
        neutralFields: ["apply_residual_connection_post_layernorm": [.bool(false)]])
}

extension TensorNames {
    /// The names of Hugging Face's `BloomForCausalLM`, or of `BloomModel` with an empty prefix.
    public static func bloom(prefix: String = "transformer.") -> TensorNames {
        TensorNames(
            layerPrefix: { "\(prefix)h.\($0)." },
            query: "self_attention.query_key_value", interleavesHeads: true,
            key: "self_attention.query_key_value", value: "self_attention.query_key_value",
            output: "self_attention.dense", attentionNorm: "input_layernorm",
            up: "mlp.dense_h_to_4h", down: "mlp.dense_4h_to_h",
            feedForwardNorm: "post_attention_layernorm", tokens: "\(prefix)word_embeddings",
            embeddingNorm: "\(prefix)word_embeddings_layernorm", finalNorm: "\(prefix)ln_f",
            head: "lm_head")
    }
}
