internal import ModelFiles

/// Weights that some models of an architecture have and others lack.
public struct OptionalWeights: OptionSet, Codable, Hashable, Sendable {
    /// The members as bits.
    public let rawValue: Int

    /// Creates a set from its members' bits.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Biases of the query, key and value projections.
    public static let attentionInputBiases = OptionalWeights(rawValue: 1)
    /// Biases of the attention blocks' output projections.
    public static let attentionOutputBias = OptionalWeights(rawValue: 2)
    /// Biases of the feed-forward blocks' gate and up projections.
    public static let feedForwardInputBiases = OptionalWeights(rawValue: 4)
    /// Biases of the feed-forward blocks' down projections.
    public static let feedForwardOutputBias = OptionalWeights(rawValue: 8)
    /// Norms of the query and key heads.
    public static let headNorms = OptionalWeights(rawValue: 16)

    /// All biases of attention blocks.
    public static let attentionBiases: OptionalWeights = [
        .attentionInputBiases, .attentionOutputBias,
    ]
    /// All biases of feed-forward blocks.
    public static let feedForwardBiases: OptionalWeights = [
        .feedForwardInputBiases, .feedForwardOutputBias,
    ]
}

extension HuggingFaceConfig {
    /// The optional weights that `transformers` gives a model of this configuration.
    public var optionalWeights: OptionalWeights {
        family.config.weightSwitches.reduce(family.config.fixedWeights) { weights, option in
            isSet(JSONKey(option.field)) ? weights.union(option.weights) : weights
        }
    }

    /// The optional weights that layers may have.
    ///
    /// A pruned model whose configuration has `output_bias` may have biases on the output
    /// projections of attention and on the down projections.
    public var allowedBiases: OptionalWeights {
        isSet("output_bias")
            ? optionalWeights.union([.attentionOutputBias, .feedForwardOutputBias])
            : optionalWeights
    }

    private func isSet(_ name: JSONKey) -> Bool { members[name] == .bool(true) }
}
