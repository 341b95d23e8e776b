internal import ModelFiles

extension Architecture {
    /// Decoder with RMS norms before and after the branches, rotary positions, norms of heads,
    /// grouped queries, and GELU with a gate.
    ///
    /// Source: Kamath et al., "Gemma 3", arXiv 2503.19786.
    public static let gemma3 = Architecture(
        name: "gemma3", isCausal: true, positions: .rotary,
        layer: LayerRecipe(
            norm: .rootMeanSquarePlusOne, normPlace: .around, activation: .tanhGELU,
            isGated: true))
}

extension Family {
    /// The text models of Gemma 3, most of whose layers have attention windows.
    public static let gemma3 = Family(
        name: "gemma3_text", className: "Gemma3Text", nextTokenClass: "Gemma3ForCausalLM",
        examples: "Gemma 3 270M and 1B", architecture: .gemma3, config: .gemma3,
        tensors: TensorLayout(prefixes: ["", "model."]) { .gemma3(prefix: $0) })
}

extension ConfigConventions {
    fileprivate static let gemma3 = {
        var config = gemma(
            usualPositions: 131_072, windowPattern: 6, scoreCap: nil, logitCap: nil)
        config.usualRopeTheta = 1_000_000
        config.layerRotations = .local(usualBase: 10_000, usualPattern: 6)
        config.fixedWeights = .headNorms
        return config
    }()

    /// The conventions that Gemma 2 and 3 share.
    ///
    /// - Parameters:
    ///   - usualPositions: The default of `max_position_embeddings`.
    ///   - windowPattern: The default of `sliding_window_pattern`: layers whose number, counted
    ///     from 1, is a multiple of it have no attention window.
    ///   - scoreCap: The default soft cap of attention scores; nil for none.
    ///   - logitCap: The default soft cap of logits; nil for none.
    /// - Returns: The conventions.
    static func gemma(
        usualPositions: Int, windowPattern: Int, scoreCap: Double?, logitCap: Double?
    ) -> ConfigConventions {
        var config = llama(usualPositions: usualPositions)
        config.fieldNames = ["hidden_act": "hidden_activation"]
        config.usuallyTiesHead = true
        config.headDimension = .field(usual: 256)
        config.keyValueHeads = .field(usual: 4)
        config.dividesWidthByHeads = true
        config.window = .sliding(
            ifSet: nil, usual: 4096, in: .exceptMultiples(usual: windowPattern))
        (config.usualBeginning, config.usualEnd, config.usualPadding) = ([2], [1], [0])
        config.weightSwitches = [
            WeightSwitch(field: "attention_bias", weights: .attentionBiases)
        ]
        config.factors = FactorFields(
            embeddings: .rootOfHiddenSize,
            scores: .inverseRoot("query_pre_attn_scalar", usual: 256),
            scoreCap: FactorFields.Cap("attn_logit_softcapping", usual: scoreCap),
            logitCap: FactorFields.Cap("final_logit_softcapping", usual: logitCap))
        config.neutralFields = ["use_bidirectional_attention": [.bool(false)]]
        return config
    }
}

extension TensorNames {
    /// The names of Hugging Face's `Gemma3ForCausalLM`, or of `Gemma3TextModel` with an empty
    /// prefix.
    public static func gemma3(prefix: String = "model.") -> TensorNames {
        var names = llama(prefix: prefix)
        names.attentionOutputNorm = "post_attention_layernorm"
        names.feedForwardNorm = "pre_feedforward_layernorm"
        names.feedForwardOutputNorm = "post_feedforward_layernorm"
        return names
    }
}
