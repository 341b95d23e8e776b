extension Family {
    /// SmolLM3: Llama, but every fourth layer has no rotary positions.
    ///
    /// Source: Bakouch et al., "SmolLM3" (2025); layers without positions: Yang et al.,
    /// arXiv 2501.18795.
    public static let smolLM3 = Family(
        name: "smollm3", className: "SmolLM3", examples: "SmolLM3 3B", architecture: .llama,
        config: .smolLM3, tensors: .llama)
}

extension ConfigConventions {
    fileprivate static let smolLM3 = {
        var config = llama(usualPositions: 32_768)
        config.usuallyTiesHead = true
        config.keyValueHeads = .field(usual: 4)
        config.usualRopeTheta = 2_000_000
        config.layerRotations = .absent(usualInterval: 4)
        config.window = .sliding(ifSet: "use_sliding_window", usual: nil, in: .withoutRotation)
        (config.usualBeginning, config.usualEnd) = ([128_000], [128_001])
        config.usualPadding = [128_004]
        config.weightSwitches = [
            WeightSwitch(field: "attention_bias", weights: .attentionBiases),
            WeightSwitch(field: "mlp_bias", weights: .feedForwardBiases),
        ]
        return config
    }()
}
