internal import ModelFiles

/// The keys of a GGUF file's metadata that begin with the name of its architecture.
struct GGUFKeys {
    let gguf: GGUFFile
    let architecture: String

    /// The keys that are read, and those that do not change results.
    private static let known: Set<String> = [
        "block_count", "context_length", "embedding_length", "feed_forward_length", "vocab_size",
        "attention.head_count", "attention.head_count_kv", "attention.layer_norm_rms_epsilon",
        "attention.key_length", "attention.value_length", "attention.sliding_window",
        "rope.freq_base", "rope.dimension_count", "rope.scaling.type", "rope.scaling.factor",
        "rope.scaling.original_context_length", "rope.scaling.finetuned", "rope.scale_linear",
        // These keys do not change the forward pass.
        "tensor_data_layout", "pooling_type", "attention.layer_norm_epsilon",
        "expert_used_count",
    ]

    /// Numeric keys that are not supported, each with the value at which it has no effect.
    ///
    /// 0 is also accepted for each of them.
    private static let neutral: [String: Double] = [
        "attention.scale": 0, "attention.clamp_kqv": 0, "attention.max_alibi_bias": 0,
        "attn_logit_softcapping": 0, "final_logit_softcapping": 0, "expert_count": 0,
        "logit_scale": 1, "residual_scale": 1, "embedding_scale": 1,
        "rope.scaling.attn_factor": 1, "rope.scaling.yarn_log_multiplier": 0,
    ]

    /// Boolean keys that are not supported, each with the value at which it has no effect.
    private static let neutralFlags: [String: Bool] = [
        "attention.causal": true, "use_parallel_residual": false,
    ]

    private func key(_ name: String) -> String { "\(architecture).\(name)" }

    /// Refuses keys and tensors that change the forward pass and are not supported.
    func refuseUnsupported() throws(ModelFileError) {
        let isPart = try count("split.count") > 1
        if isPart {
            let (part, all) = (try count("split.no") + 1, try count("split.count"))
            throw ModelFileError(
                file: gguf.path, subject: "split.count",
                problem: "it is part \(part) of \(all) of a model",
                remedy: "join the parts with 'llama-gguf-split --merge FIRST-PART WHOLE.gguf', "
                    + "and use the joined file")
        }
        if gguf.metadata["general.type"] != nil {
            let type = try gguf.string("general.type")
            guard type == "model" else {
                throw fault("general.type", "it is \"\(type)\", not \"model\"")
            }
        }
        for (name, neutral) in Self.neutral.sorted(by: { $0.key < $1.key })
        where gguf.metadata[key(name)] != nil {
            let value = try gguf.number(key(name))
            guard value == neutral || value == 0 else {
                throw fault(key(name), "only \(neutral) is supported (it is \(value))")
            }
        }
        for (name, neutral) in Self.neutralFlags.sorted(by: { $0.key < $1.key })
        where gguf.metadata[key(name)] != nil {
            guard try gguf.bool(key(name)) == neutral else {
                throw fault(key(name), "only \(neutral) is supported")
            }
        }
        for name in ["rope_factors_long.weight", "rope_factors_short.weight"]
        where gguf.shape(of: name) != nil {
            throw fault(name, "this scaling of rotary positions is not supported")
        }
        let type = key("rope.scaling.type")
        if gguf.metadata[type] != nil {
            let name = try gguf.string(type)
            guard ["none", "linear"].contains(name) else {
                throw fault(type, "rotary positions scaled by \"\(name)\" are not supported")
            }
        }
        let rotary = key("rope.dimension_count")
        for name in ["attention.key_length", "attention.value_length"].map(key)
        where gguf.metadata[name] != nil && gguf.metadata[rotary] != nil {
            let (length, rotated) = (try gguf.integer(name), try gguf.integer(rotary))
            guard length == rotated else {
                throw fault(
                    name, "heads of \(length) channels with \(rotated) rotated are not supported"
                )
            }
        }
    }

    /// The unknown keys, which could change results, sorted.
    var unknown: [String] {
        gguf.metadata.keys.filter { key in
            guard key.hasPrefix(architecture + ".") else { return false }
            let name = String(key.dropFirst(architecture.count + 1))
            return !Self.known.contains(name) && Self.neutral[name] == nil
                && Self.neutralFlags[name] == nil
        }.sorted()
    }

    private func count(_ key: String) throws(ModelFileError) -> Int {
        gguf.metadata[key] == nil ? 0 : try gguf.integer(key)
    }

    private func fault(_ subject: String, _ problem: String) -> ModelFileError {
        ModelFileError(
            file: gguf.path, subject: subject, problem: problem, remedy: "use a model without it")
    }
}
