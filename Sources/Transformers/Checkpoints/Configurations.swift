internal import ModelFiles

extension ModelShape {
    /// Creates the shape of the model that a configuration describes.
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
        if config.rotaryDimension < config.headDimension {
            rotaryDimension = config.rotaryDimension
        }
        (factors, biases) = (config.factors, config.biases)
        // Biases of the architecture are not listed again.
        let own = optional.subtracting(architecture.layer.biases)
        if !own.isEmpty { optionalWeights = own }
    }
}

extension HuggingFaceConfig {
    /// Refuses an activation that the family does not support.
    func checkActivation() throws(ModelFileError) {
        let (field, names) = (
            family.config.fieldName("hidden_act"), family.architecture.layer.activation.names
        )
        guard !names.contains(activation) else { return }
        throw ModelFileError(
            file: path, subject: "field \(field)",
            problem: "\(JSONValue.string(activation).excerpt) is not supported",
            remedy: "use a model of type \(family.name) whose \(field) is \"\(names[0])\"")
    }
}

extension LayerRecipe.Activation {
    /// The names of the activation in configurations, the usual one first.
    var names: [String] {
        switch self {
        case .gelu: ["gelu", "gelu_python"]
        case .silu: ["silu", "swish"]
        case .tanhGELU: ["gelu_new", "gelu_pytorch_tanh", "gelu_fast"]
        case .relu: ["relu"]
        }
    }
}
