extension Family {
    /// DistilBERT: BERT without token types.
    ///
    /// Source: Sanh et al., arXiv 1910.01108.
    public static let distilbert = Family(
        name: "distilbert", className: "DistilBert", examples: "distilbert-base-uncased",
        architecture: .bert, config: .distilbert,
        tensors: TensorLayout(encoderNames: { .distilbert(prefix: $0) }),
        heads: TaskHead.ofEveryEncoder.merging([
            .sequence: [
                .ofFirstToken("classifier", dense: "pre_classifier", activation: .relu)
            ],
            .choice: [.ofFirstToken("classifier", dense: "pre_classifier", activation: .relu)],
            .maskedToken: [
                .maskedToken(
                    dense: "vocab_transform", norm: "vocab_layer_norm", output: "vocab_projector",
                    bias: nil)
            ],
        ]) { $1 }, headPrefix: "distilbert.")
}

extension ConfigConventions {
    /// The conventions of DistilBERT.
    fileprivate static let distilbert = {
        var config = encoder
        config.fieldNames = [
            "hidden_size": "dim", "num_hidden_layers": "n_layers",
            "num_attention_heads": "n_heads", "intermediate_size": "hidden_dim",
            "hidden_act": "activation",
        ]
        config.usualSegmentTypes = 0
        config.normEpsilonField = nil
        return config
    }()
}

extension TensorNames {
    /// The names of Hugging Face's `DistilBertModel`, which start with `distilbert.` in models with
    /// a task head.
    public static func distilbert(prefix: String = "") -> TensorNames {
        TensorNames(
            layerPrefix: { "\(prefix)transformer.layer.\($0)." },
            query: "attention.q_lin", key: "attention.k_lin", value: "attention.v_lin",
            output: "attention.out_lin", attentionNorm: "sa_layer_norm", up: "ffn.lin1",
            down: "ffn.lin2", feedForwardNorm: "output_layer_norm",
            tokens: "\(prefix)embeddings.word_embeddings",
            positions: "\(prefix)embeddings.position_embeddings",
            embeddingNorm: "\(prefix)embeddings.LayerNorm")
    }
}
