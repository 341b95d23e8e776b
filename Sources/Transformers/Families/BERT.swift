internal import ModelFiles

extension Architecture {
    /// Encoder with norms after the branches, learned positions, biases and GELU.
    ///
    /// Source: Devlin et al., arXiv 1810.04805.
    public static let bert = Architecture(
        name: "bert", isCausal: false, positions: .learned, segmentTypes: 2,
        normalisesEmbeddings: true, hasFinalNorm: false, canNarrow: true,
        layer: LayerRecipe(
            norm: .layer, normPlace: .post, activation: .gelu,
            biases: [.attentionBiases, .feedForwardBiases]))
}

extension Family {
    /// BERT.
    public static let bert = Family(
        name: "bert", className: "Bert", examples: "bert-base-uncased, all-MiniLM-L6-v2, BGE, E5",
        architecture: .bert, config: .encoder,
        tensors: TensorLayout(encoderNames: { .bert(prefix: $0) }),
        heads: TaskHead.ofEveryEncoder.merging([
            .sequence: [.pooled("classifier")], .choice: [.pooled("classifier")],
            .maskedToken: [.maskedTokenOfBERT("logits")],
            .nextSentence: [.pooled("cls.seq_relationship")],
            .pretraining: [
                .maskedTokenOfBERT("prediction_logits"),
                .pooled("cls.seq_relationship", as: "seq_relationship_logits"),
            ],
        ]) { $1 }, headPrefix: "bert.")
}

extension ConfigConventions {
    /// The conventions of BERT and of families that derive from it.
    static let encoder = ConfigConventions(
        usualPositions: 512, usualSegmentTypes: 2, normEpsilonField: "layer_norm_eps",
        usualNormEpsilon: 1e-12, usuallyTiesHead: true, dividesWidthByHeads: true,
        usualPadding: [0], fixedWeights: [.attentionBiases, .feedForwardBiases],
        neutralFields: ["is_decoder": [.bool(false)]])
}

extension TensorLayout {
    /// Creates the layout of an encoder, whose names have a prefix in a model with a task head.
    init(encoderNames: @escaping @Sendable (String) -> TensorNames) {
        self.init(prefixes: ["bert.", "roberta.", "distilbert.", "mpnet.", ""], encoderNames)
    }
}

extension TensorNames {
    /// The names of Hugging Face's `BertModel`, which start with `bert.` in models with a task
    /// head.
    public static func bert(prefix: String = "") -> TensorNames {
        TensorNames(
            layerPrefix: { "\(prefix)encoder.layer.\($0)." },
            query: "attention.self.query", key: "attention.self.key",
            value: "attention.self.value", output: "attention.output.dense",
            attentionNorm: "attention.output.LayerNorm", up: "intermediate.dense",
            down: "output.dense", feedForwardNorm: "output.LayerNorm",
            tokens: "\(prefix)embeddings.word_embeddings",
            positions: "\(prefix)embeddings.position_embeddings",
            types: "\(prefix)embeddings.token_type_embeddings",
            embeddingNorm: "\(prefix)embeddings.LayerNorm")
    }
}

extension TaskHead {
    /// The heads that have the same tensors in all encoder families.
    static let ofEveryEncoder: [TaskHead: [Output]] = [
        .base: [], .token: [Output("logits", output: "classifier")],
        .span: [Output("start_logits", "end_logits", output: spanOutput)],
    ]

    /// The name of the projection of the span head, in all families.
    static let spanOutput = "qa_outputs"
}

extension TaskHead.Output {
    /// Logits from the first token's hidden state after BERT's pooler.
    static func pooled(_ output: String, as name: String = "logits") -> TaskHead.Output {
        var result = ofFirstToken(output, dense: "pooler.dense", as: name)
        result.isDensePooler = true
        return result
    }

    /// Logits from the first token's hidden state after a projection that belongs to the head.
    static func ofFirstToken(
        _ output: String, dense: String, as name: String = "logits",
        activation: Activation = .tanh
    ) -> TaskHead.Output {
        var result = TaskHead.Output(name, ofFirstToken: true, output: output)
        (result.dense, result.activation) = (dense, activation)
        return result
    }

    /// Logits of the token at each position, after a projection and a norm.
    static func maskedToken(
        _ name: String = "logits", dense: String, norm: String, output: String, bias: String?
    ) -> TaskHead.Output {
        var result = TaskHead.Output(name, output: output, bias: bias)
        (result.dense, result.activation, result.norm) = (dense, .gelu, norm)
        return result
    }

    /// BERT's ``maskedToken(_:dense:norm:output:bias:)``.
    fileprivate static func maskedTokenOfBERT(_ name: String) -> TaskHead.Output {
        maskedToken(
            name, dense: "cls.predictions.transform.dense",
            norm: "cls.predictions.transform.LayerNorm", output: "cls.predictions.decoder",
            bias: "cls.predictions.bias")
    }
}
