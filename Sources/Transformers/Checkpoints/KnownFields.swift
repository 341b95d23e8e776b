internal import ModelFiles

/// The known fields of `config.json`.
///
/// Some fields are read. Some do not change results. Others do not change results if they have
/// certain values.
///
/// A family may add fields in its ``ConfigConventions``. The lists were checked against the
/// configurations that transformers 5 writes for every supported family.
enum KnownFields {
    /// The fields that this module reads, under the names that most families use.
    private static let used: Set<String> = [
        "model_type", "hidden_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "intermediate_size", "vocab_size", "max_position_embeddings",
        "type_vocab_size", "layer_norm_eps", "rms_norm_eps", "hidden_act", "head_dim",
        "tie_word_embeddings", "bos_token_id", "eos_token_id", "pad_token_id", "per_layer_config",
        "espalier_layers", "espalier_modules", "output_bias", "layerdrop", "encoder_layerdrop",
        "decoder_layerdrop",
    ]

    /// Further fields that are known for families with rotary positions.
    private static let usedWithRotaryPositions: Set<String> = [
        "rope_theta", "rope_scaling", "rope_parameters", "partial_rotary_factor",
        "sliding_window", "use_sliding_window", "layer_types", "max_window_layers",
        "original_max_position_embeddings",
        "attention_bias", "mlp_bias",
    ]

    /// Fields that do not change the hidden states or the logits.
    private static let harmless: Set<String> = [
        // Names and versions.
        "architectures", "_name_or_path", "name_or_path", "transformers_version", "torch_dtype",
        "dtype", "tokenizer_class", "model_name", "auto_map_class", "unsloth_version",
        "unsloth_fixed", "transformers.js_config", "is_llama_config", "_commit_hash",
        "allow_global_per_layer_attribute_access", "sentence_transformers",
        // Training.
        "initializer_range", "initializer_factor", "init_std", "attention_dropout",
        "attention_probs_dropout_prob", "hidden_dropout_prob", "hidden_dropout", "dropout",
        "activation_dropout", "classifier_dropout", "attn_pdrop", "embd_pdrop", "resid_pdrop",
        "qa_dropout", "seq_classif_dropout", "summary_first_dropout", "gradient_checkpointing",
        "neftune_noise_alpha", "finetuning_task", "loss_type",
        // Task heads, which have their own tensors.
        "id2label", "label2id", "num_labels", "_num_labels", "problem_type", "summary_activation",
        "summary_proj_to_labels", "summary_type", "summary_use_proj", "tie_weights_",
        "directionality", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers",
        "pooler_size_per_head", "pooler_type",
        // How `transformers` computes or returns the same numbers.
        "use_cache", "pretraining_tp", "reorder_and_upcast_attn", "chunk_size_feed_forward",
        "output_attentions", "output_hidden_states", "output_past", "output_scores",
        "return_dict", "return_dict_in_generate", "torchscript", "tf_legacy_loss",
        "attention_softmax_in_fp32", "bias_dropout_fusion", "masked_softmax_fusion",
        "skip_bias_add", "skip_bias_add_qkv", "slow_but_exact",
        "use_bfloat16", "xla_device", "_from_model_config", "_flash_attn_2_enabled",
        "keys_to_ignore_at_inference", "_attn_implementation", "attn_implementation",
        "_attn_implementation_autoset", "tie_encoder_decoder",
        // Duplicates of other fields, special tokens, and position tables that are stored as
        // weights.
        "n_ctx", "max_sequence_length", "sinusoidal_pos_embds", "sep_token_id", "cls_token_id",
        "unk_token_id", "offset_alibi",
        // Generation.
        "task_specific_params", "max_length", "min_length", "do_sample", "early_stopping",
        "num_beams", "num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p",
        "typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size",
        "encoder_no_repeat_ngram_size", "num_return_sequences", "bad_words_ids", "prefix",
        "decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id",
        "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens",
        "begin_suppress_tokens",
        // Encoders refuse this field in their ``ConfigConventions/neutralFields``.
        "is_decoder",
    ]

    /// Fields that are not supported, with the values at which they have no effect.
    ///
    /// Null always has no effect.
    private static let neutral: [String: [JSONValue]] = [
        "is_encoder_decoder": [.bool(false)], "mlp_bias": [.bool(false)],
        "add_cross_attention": [.bool(false)],
        "cross_attention_hidden_size": [], "pruned_heads": [.object([:])],
        "position_embedding_type": [.string("absolute")],
        "scale_attn_weights": [.bool(true)], "scale_attn_by_inverse_layer_idx": [.bool(false)],
        "do_layer_norm_before": [.bool(true)], "enable_bias": [.bool(true)],
        "layer_norm_elementwise_affine": [.bool(true)],
        "_remove_final_layer_norm": [.bool(false)],
        "attention_multiplier": [], "query_pre_attn_scalar": [],
        "residual_multiplier": [.integer(1)], "embedding_multiplier": [.integer(1)],
        "logits_scaling": [.integer(1)], "logit_scale": [.integer(1)],
        "attn_logit_softcapping": [.integer(0)], "final_logit_softcapping": [.integer(0)],
        "clip_qkv": [.integer(0)], "alibi": [.bool(false)], "parallel_attn": [.bool(false)],
        "use_parallel_residual": [.bool(false)], "rope_interleaved": [.bool(false)],
        "use_qk_norm": [.bool(false)], "qk_norm": [.bool(false)], "qk_layernorm": [.bool(false)],
        "num_local_experts": [.integer(0), .integer(1)], "no_rope_layers": [.array([])],
        "relative_attention_num_buckets": [], "attn_config": [],
        "global_attn_every_n_layers": [.integer(1)],
        "num_experts": [.integer(0), .integer(1)], "n_routed_experts": [.integer(0), .integer(1)],
    ]

    /// The meaning of some of these fields, for messages.
    private static let meanings: [String: String] = [
        "attn_logit_softcapping": "soft caps of attention scores",
        "final_logit_softcapping": "soft caps of logits", "alibi": "ALiBi positions",
        "attn_config": "MPT's attention, with its ALiBi positions,",
        "relative_attention_num_buckets": "relative positions in buckets",
        "parallel_attn": "parallel branches", "use_parallel_residual": "parallel branches",
        "clip_qkv": "clipped queries, keys and values",
        "global_attn_every_n_layers": "windows of attention in some layers",
        "qk_norm": "norms of all heads together", "use_qk_norm": "norms of heads",
        "qk_layernorm": "norms of heads with weights for each head",
    ]

    /// The known members of `rope_parameters` and `rope_scaling`.
    private static let rope: Set<String> = [
        "rope_theta", "rope_type", "type", "factor", "low_freq_factor", "high_freq_factor",
        "original_max_position_embeddings", "partial_rotary_factor",
    ]

    /// Refuses the first field whose value changes results and is not supported.
    static func refuseUnsupported(
        _ fields: ConfigFields, _ family: Family
    ) throws(ModelFileError) {
        let read =
            family.config.weightSwitches.map(\.field) + family.config.factors.names
            + family.config.layerRotations.fieldNames
        let neutral = neutral.merging(family.config.neutralFields) { $1 }
            .filter { !read.contains($0.key) }
        for (name, values) in neutral.sorted(by: { $0.key < $1.key }) {
            guard let value = fields.members[JSONKey(name)], value != .null,
                !values.contains(where: { $0.equals(value) })
            else { continue }
            let known = values.map { String(decoding: $0.encoded(), as: UTF8.self) }
            let isOwn = family.config.neutralFields[name] != nil
            let meaning =
                isOwn ? "" : meanings[name].map { "\($0) are not supported yet; " } ?? ""
            throw fields.fault(
                name,
                meaning
                    + (known.isEmpty
                        ? "models with this field are not supported"
                        : "only \(known.joined(separator: " or ")) is supported"),
                remedy: "use a model without it")
        }
    }

    /// Returns the names of the unknown fields, which could change results, sorted.
    static func unknown(
        _ members: [JSONKey: JSONValue], _ family: Family
    ) -> [String] {
        let conventions = family.config
        let own = Set(used.map(conventions.fieldName) + conventions.copiesOfHiddenSize)
            .union(
                conventions.weightSwitches.map(\.field) + conventions.factors.names
                    + conventions.layerRotations.fieldNames
            )
            .union(conventions.neutralFields.keys)
        let isRotary = family.architecture.positions == .rotary
        var names = members.filter { key, value in
            let name = key.text
            let isKnown =
                own.contains(name) || used.contains(name) || harmless.contains(name)
                || neutral[name] != nil || isRotary && usedWithRotaryPositions.contains(name)
            // Other programs' formats were refused before.
            let isOwn = name == Formats.member || name == "auto_map" && value.isOwnCode
            return !isKnown && !value.isEmpty && !isOwn
        }.keys.map(\.text)
        if isRotary {
            for scope in ["rope_parameters", "rope_scaling"] {
                let inner = members[JSONKey(scope)]?.object ?? [:]
                names += inner.filter { key, value in
                    !rope.contains(key.text) && !value.isEmpty
                        && !conventions.layerRotations.isKnown(inParameters: key.text)
                }
                .map { "\(scope).\($0.key.text)" }
            }
        }
        return names.sorted()
    }
}

extension JSONValue {
    /// Whether this is null or an empty list, object or string.
    fileprivate var isEmpty: Bool {
        [.null, .array([]), .object([:]), .string("")].contains(self)
    }

    /// Whether two values are equal, with the integer 1 equal to the number 1.0.
    fileprivate func equals(_ other: JSONValue) -> Bool {
        if case .integer(let one) = self, case .number(let two) = other {
            return Double(one) == two
        }
        return self == other
    }

    /// Whether all classes of this `auto_map` are in the module that pruned models come with.
    fileprivate var isOwnCode: Bool {
        (object ?? [:]).values.allSatisfy { $0.string?.hasPrefix("modeling_espalier.") == true }
    }
}

extension HuggingFaceConfig {
    /// The names of the unknown fields, which could change what the model computes.
    public var unknownFields: [String] { KnownFields.unknown(members, family) }
}
