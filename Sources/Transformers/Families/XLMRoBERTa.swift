extension Family {
    /// XLM-RoBERTa: RoBERTa for many languages.
    ///
    /// Source: Conneau et al., arXiv 1911.02116.
    public static let xlmRoberta = Family(
        name: "xlm-roberta", className: "XLMRoberta",
        examples: "xlm-roberta-base, multilingual E5, BGE-M3", architecture: .bert,
        config: .roberta, tensors: TensorLayout(encoderNames: { .bert(prefix: $0) }),
        heads: TaskHead.ofRoBERTa, headPrefix: "roberta.")
}
