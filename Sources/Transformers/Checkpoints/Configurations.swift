internal import ModelFiles

extension ModelShape {
    /// The sizes that a configuration gives; a decoder without a head of its own ties it.
    init(_ config: HuggingFaceConfig, hasHead: Bool) {
        self.init(
            architecture: config.family.architecture,
            vocabularySize: config.vocabularySize, hiddenSize: config.hiddenSize,
            headDimension: config.headDimension, maximumPositions: config.maximumPositions,
            normEpsilon: Float(config.normEpsilon), ropeTheta: Float(config.ropeTheta),
            tiedHead: !config.family.isEncoder && (config.tiesWordEmbeddings || !hasHead),
            layers: config.layers)
    }
}

extension HuggingFaceConfig.Family {
    /// The forward pass of this family.
    var architecture: Architecture {
        switch self {
        case .bert, .roberta, .xlmRoberta, .distilbert: .bert
        case .llama, .mistral, .qwen2, .qwen3: .llama
        case .gpt2: .gpt2
        case .opt: .opt
        }
    }

    /// What the tensors of this family are called in a file.
    func tensorNames(in file: any TensorFile) -> TensorNames {
        switch self {
        case .llama, .mistral, .qwen2: .llama
        case .qwen3: .qwen3
        case .gpt2: .gpt2(prefix: file.has("wte.weight") ? "" : "transformer.")
        case .opt:
            .opt(prefix: file.has("decoder.embed_tokens.weight") ? "decoder." : "model.decoder.")
        case .bert, .roberta, .xlmRoberta: .bert(prefix: encoderPrefix(in: file))
        case .distilbert: .distilbert(prefix: encoderPrefix(in: file))
        }
    }

    /// What a model with a task head puts before the names of its encoder.
    private func encoderPrefix(in file: any TensorFile) -> String {
        ["bert.", "roberta.", "distilbert."].first {
            file.has($0 + "embeddings.word_embeddings.weight")
        } ?? ""
    }
}

extension HuggingFaceConfig {
    /// Refuses activations that are not computed here.
    func checkActivation() throws(ModelFileError) {
        let (field, known) = (family.fieldName("hidden_act"), family.usualActivation)
        // Two names of one function.
        let isAlias = family == .gpt2 && activation == "gelu_pytorch_tanh"
        guard activation != known, !isAlias else { return }
        throw ModelFileError(
            file: path, subject: field, problem: "\"\(activation)\" is not supported",
            remedy: "name a model whose \(field) is \"\(known)\"")
    }

    /// The configuration that describes a GGUF file of architecture `llama`.
    init(_ gguf: GGUFFile) throws(ModelFileError) {
        let architecture = try gguf.string("general.architecture")
        guard architecture == "llama" else {
            throw ModelFileError(
                file: gguf.path, subject: "general.architecture",
                problem: "\"\(architecture)\" is not supported",
                remedy: "name a model of architecture \"llama\"")
        }
        func integer(_ key: String, default value: Int? = nil) throws(ModelFileError) -> JSONValue {
            if let value, gguf.metadata[key] == nil { return .integer(value) }
            return .integer(try gguf.integer(key))
        }
        let heads = try gguf.integer("llama.attention.head_count")
        let vocabulary = gguf.shape(of: "token_embd.weight")?.first
        var members: [JSONKey: JSONValue] = [
            "model_type": .string("llama"),
            "architectures": .array([.string("LlamaForCausalLM")]),
            "hidden_act": .string("silu"),
            "hidden_size": try integer("llama.embedding_length"),
            "num_hidden_layers": try integer("llama.block_count"),
            "num_attention_heads": .integer(heads),
            "num_key_value_heads": try integer("llama.attention.head_count_kv", default: heads),
            "intermediate_size": try integer("llama.feed_forward_length"),
            "vocab_size": try integer("llama.vocab_size", default: vocabulary),
            "max_position_embeddings": try integer("llama.context_length"),
            "rms_norm_eps": .number(try gguf.number("llama.attention.layer_norm_rms_epsilon")),
            "tie_word_embeddings": .bool(gguf.shape(of: "output.weight") == nil),
        ]
        members["rope_theta"] = .number(
            gguf.metadata["llama.rope.freq_base"] == nil
                ? 10_000 : try gguf.number("llama.rope.freq_base"))
        for (key, name) in [
            ("tokenizer.ggml.bos_token_id", "bos_token_id"),
            ("tokenizer.ggml.padding_token_id", "pad_token_id"),
        ] where gguf.metadata[key] != nil {
            members[JSONKey(name)] = try integer(key)
        }
        var ends: [JSONValue] = []
        for end in ["eos", "eot", "eom"] {
            let key = "tokenizer.ggml.\(end)_token_id"
            guard gguf.metadata[key] != nil else { continue }
            let id = try integer(key)
            if !ends.contains(id) { ends.append(id) }
        }
        members["eos_token_id"] = ends.count > 1 ? .array(ends) : ends.first ?? .null
        if gguf.metadata["llama.rope.dimension_count"] != nil {
            members["head_dim"] = try integer("llama.rope.dimension_count")
        }
        try self.init(parsing: JSONValue.object(members).encoded(), path: gguf.path)
    }
}
