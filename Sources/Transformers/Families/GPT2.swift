extension Architecture {
    /// Decoder with layer norms before the branches, learned positions, biases, and the tanh
    /// approximation of GELU.
    ///
    /// Source: Radford et al., "Language models are unsupervised multitask learners" (2019).
    public static let gpt2 = Architecture(
        name: "gpt2", isCausal: true, positions: .learned,
        layer: LayerRecipe(
            norm: .layer, normPlace: .pre, activation: .tanhGELU,
            biases: [.attentionBiases, .feedForwardBiases]))
}

extension Family {
    /// GPT-2.
    ///
    /// Its projections are stored transposed. One tensor has the query, key and value projections.
    public static let gpt2 = Family(
        name: "gpt2", className: "GPT2", nextTokenClass: "GPT2LMHeadModel",
        examples: "gpt2, distilgpt2", architecture: .gpt2, config: .gpt2,
        tensors: TensorLayout(prefixes: ["", "transformer."]) { .gpt2(prefix: $0) })
}

extension ConfigConventions {
    fileprivate static let gpt2 = ConfigConventions(
        fieldNames: [
            "hidden_size": "n_embd", "num_hidden_layers": "n_layer",
            "num_attention_heads": "n_head", "intermediate_size": "n_inner",
            "max_position_embeddings": "n_positions", "layer_norm_eps": "layer_norm_epsilon",
            "hidden_act": "activation_function",
        ],
        usualPositions: 1024, normEpsilonField: "layer_norm_eps", usualNormEpsilon: 1e-5,
        usuallyTiesHead: true, usualFeedForwardRatio: 4, usualBeginning: [50256],
        usualEnd: [50256], fixedWeights: [.attentionBiases, .feedForwardBiases])
}

extension TensorNames {
    /// The names of Hugging Face's `GPT2LMHeadModel`, or of `GPT2Model` with an empty prefix.
    public static func gpt2(prefix: String = "transformer.") -> TensorNames {
        TensorNames(
            layerPrefix: { "\(prefix)h.\($0)." }, storesInputsFirst: true,
            query: "attn.c_attn", key: "attn.c_attn", value: "attn.c_attn", output: "attn.c_proj",
            attentionNorm: "ln_1", up: "mlp.c_fc", down: "mlp.c_proj", feedForwardNorm: "ln_2",
            tokens: "\(prefix)wte", positions: "\(prefix)wpe", finalNorm: "\(prefix)ln_f",
            head: "lm_head")
    }
}
