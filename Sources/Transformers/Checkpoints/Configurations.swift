internal import ModelFiles

extension ModelShape {
    /// The sizes that a configuration gives.
    init(_ config: HuggingFaceConfig, isTied: Bool) {
        let architecture = config.family.architecture
        let optional = config.optionalWeights
        self.init(
            architecture: architecture,
            vocabularySize: config.vocabularySize, hiddenSize: config.hiddenSize,
            headDimension: config.headDimension, maximumPositions: config.maximumPositions,
            normEpsilon: Float(config.normEpsilon), ropeTheta: Float(config.ropeTheta),
            ropeScaling: config.ropeScaling,
            tiedHead: isTied, layers: config.layers)
        // Those of every model of the architecture go without saying.
        if !architecture.hasBiases, !optional.isEmpty { optionalWeights = optional }
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
        case .llama, .mistral, .qwen2, .qwen3:
            .llama(
                prefix: file.has("embed_tokens.weight") ? "" : "model.",
                hasHeadNorms: self == .qwen3)
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
        // Other names of the same functions.
        let aliases = [
            "gelu": ["gelu_python"], "silu": ["swish"],
            "gelu_new": ["gelu_pytorch_tanh", "gelu_fast"],
        ]
        guard activation != known, aliases[known]?.contains(activation) != true else { return }
        throw ModelFileError(
            file: path, subject: "field \(field)",
            problem: "\(JSONValue.string(activation).excerpt) is not computed here",
            remedy: "name a model of type \(family.rawValue) whose \(field) is \"\(known)\"")
    }
}
