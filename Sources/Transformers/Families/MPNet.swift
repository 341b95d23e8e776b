internal import ModelFiles

extension Architecture {
    /// Encoder that computes like BERT, with terms of attention scores by distance and without
    /// segment types.
    ///
    /// Its width cannot be pruned, because other programs divide it by the number of columns of the
    /// table of terms.
    ///
    /// Source: Song et al., "MPNet", arXiv 2004.09297.
    public static let mpnet = Architecture(
        name: "mpnet", isCausal: false, positions: .learned, normalisesEmbeddings: true,
        hasFinalNorm: false, layer: bert.layer)
}

extension Family {
    /// MPNet.
    public static let mpnet = Family(
        name: "mpnet", className: "MPNet", examples: "mpnet-base, all-mpnet-base-v2",
        architecture: .mpnet, config: .mpnet,
        tensors: TensorLayout(encoderNames: { .mpnet(prefix: $0) }), heads: TaskHead.ofRoBERTa,
        headPrefix: "mpnet.")
}

extension ConfigConventions {
    fileprivate static let mpnet = {
        var config = encoder
        config.reservedPositions = .included(2)
        config.usualSegmentTypes = 0
        (config.usualBeginning, config.usualEnd, config.usualPadding) = ([0], [2], [1])
        config.biases = { .buckets(heads: $0) }
        // The classes of `transformers` compute 32 buckets whatever the field says.
        config.neutralFields["relative_attention_num_buckets"] = [.integer(32)]
        return config
    }()
}

extension TensorNames {
    /// The names of Hugging Face's `MPNetModel`, which start with `mpnet.` in models with a task
    /// head.
    public static func mpnet(prefix: String = "") -> TensorNames {
        var names = bert(prefix: prefix)
        (names.query, names.key, names.value, names.output) = (
            "attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o"
        )
        names.attentionNorm = "attention.LayerNorm"
        names.types = nil
        names.biases = "\(prefix)encoder.relative_attention_bias"
        return names
    }
}
