internal import ModelFiles

extension ModelShape {
    /// The sizes that a configuration gives; a decoder without a head of its own ties it.
    init(_ config: HuggingFaceConfig, hasHead: Bool) {
        self.init(
            architecture: config.family.architecture,
            vocabularySize: config.vocabularySize, hiddenSize: config.hiddenSize,
            headDimension: config.headDimension, maximumPositions: config.maximumPositions,
            normEpsilon: Float(config.normEpsilon), ropeTheta: Float(config.ropeTheta),
            ropeScaling: config.ropeScaling,
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
}
