extension Family {
    /// RoBERTa: BERT, but the first position uses the row after the row of the padding token's id.
    ///
    /// Source: Liu et al., arXiv 1907.11692.
    public static let roberta = Family(
        name: "roberta", className: "Roberta", examples: "roberta-base, all-distilroberta-v1",
        architecture: .bert, config: .roberta,
        tensors: TensorLayout(encoderNames: { .bert(prefix: $0) }), heads: TaskHead.ofRoBERTa,
        headPrefix: "roberta.")
}

extension ConfigConventions {
    /// The conventions of RoBERTa.
    static let roberta = {
        var config = encoder
        config.reservedPositions = .throughPadding
        (config.usualBeginning, config.usualEnd, config.usualPadding) = ([0], [2], [1])
        return config
    }()
}

extension TaskHead {
    /// RoBERTa's heads.
    static let ofRoBERTa = ofEveryEncoder.merging([
        .choice: [.pooled("classifier")],
        .sequence: [.ofFirstToken("classifier.out_proj", dense: "classifier.dense")],
        .maskedToken: [
            .maskedToken(
                dense: "lm_head.dense", norm: "lm_head.layer_norm", output: "lm_head.decoder",
                bias: "lm_head.bias")
        ],
    ]) { $1 }
}
