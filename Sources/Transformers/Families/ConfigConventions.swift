internal import ModelFiles

/// The conventions of a family's `config.json`: the names and the default values of fields.
///
/// Comments use the names that most families have for fields. The other names are in
/// ``fieldNames``.
struct ConfigConventions: Sendable {
    /// The family's names for fields, keyed by the names that most families use.
    var fieldNames: [String: String] = [:]
    /// Further names of fields that `transformers` reads, keyed to the family's names.
    ///
    /// A field with such a name takes precedence.
    var otherNames: [String: String] = [:]
    /// The default of `max_position_embeddings`.
    var usualPositions: Int
    /// The rows of the position embedding before the row of the first position.
    var reservedPositions = ReservedPositions.none
    /// The default of `type_vocab_size`; 0 for families without token types, which do not read it.
    var usualSegmentTypes = 0
    /// The name of the field with the epsilon of all norms; nil if the epsilon is fixed.
    var normEpsilonField: String?
    /// The default epsilon of all norms.
    var usualNormEpsilon: Double
    /// The default of `tie_word_embeddings`.
    var usuallyTiesHead: Bool
    /// The number of channels of a head.
    var headDimension = HeadDimension.shareOfWidth
    /// The default of `partial_rotary_factor`, the share of each head's channels that are rotated.
    ///
    /// It is nil for families that rotate all channels.
    var usualRotaryShare: Double?
    /// The default of `rope_theta`.
    var usualRopeTheta: Double = 10_000
    /// The layers whose rotary positions differ from the model's.
    var layerRotations = LayerRotations.none
    /// The number of key-value heads of a layer.
    var keyValueHeads = KeyValueHeads.asQueryHeads
    /// Whether `transformers` requires that the number of heads divides the hidden size.
    var dividesWidthByHeads = false
    /// The default of `intermediate_size`, as a multiple of `hidden_size`; nil if it has no
    /// default.
    var usualFeedForwardRatio: Int?
    /// Whether the family has the field `intermediate_size`.
    ///
    /// Without it, blocks have the default size, unless a pruned model states the sizes of layers.
    var readsFeedForward = true
    /// The layers with attention windows.
    var window = LayerWindows.none
    /// The default of `bos_token_id`.
    var usualBeginning: [Int] = []
    /// The default of `eos_token_id`.
    var usualEnd: [Int] = []
    /// The default of `pad_token_id`.
    var usualPadding: [Int] = []
    /// Optional weights that every model of the family has.
    var fixedWeights: OptionalWeights = []
    /// Boolean fields that state whether a model has optional weights.
    var weightSwitches: [WeightSwitch] = []
    /// The terms of attention scores that depend on the distance, by the number of heads; nil if
    /// there are none.
    var biases: (@Sendable (_ heads: Int) -> PositionBiases)?
    /// The fields with constant factors of the forward pass.
    var factors = FactorFields()
    /// Fields that are not supported, with the values at which they have no effect.
    var neutralFields: [String: [JSONValue]] = [:]
    /// Fields that must be equal to `hidden_size` if they are present.
    var copiesOfHiddenSize: [String] = []

    /// The rows of the position embedding before the row of the first position.
    enum ReservedPositions: Sendable {
        /// There are none.
        case none
        /// A number of rows that `max_position_embeddings` does not include.
        case additional(Int)
        /// A number of rows that `max_position_embeddings` includes.
        case included(Int)
        /// The rows up to the row of `pad_token_id`, which `max_position_embeddings` includes.
        case throughPadding
    }

    /// The number of channels of a head.
    enum HeadDimension: Sendable {
        /// `hidden_size` divided by `num_attention_heads`, because `transformers` reads no field.
        case shareOfWidth
        /// `head_dim`, which has a default.
        ///
        /// If `usual` is nil, the default is `hidden_size` divided by `num_attention_heads`.
        case field(usual: Int?)
    }

    /// The number of key-value heads of a layer.
    enum KeyValueHeads: Sendable {
        /// The number of query heads, because there is no field.
        case asQueryHeads
        /// `num_key_value_heads`, which has a default.
        ///
        /// If `usual` is nil, the default is the number of query heads.
        case field(usual: Int?)
    }

    /// A boolean field that states whether a model has certain optional weights.
    struct WeightSwitch: Sendable {
        /// The field's name.
        let field: String
        /// The weights that a model has if the field is true.
        let weights: OptionalWeights
    }
}

extension ConfigConventions {
    /// The family's name for a field.
    func fieldName(_ name: String) -> String { fieldNames[name] ?? name }

    /// The members of a configuration, under the names that ``fieldNames`` has.
    func renamed(_ members: [JSONKey: JSONValue]) -> [JSONKey: JSONValue] {
        var renamed = members
        for (other, name) in otherNames {
            guard let value = renamed.removeValue(forKey: JSONKey(other)), value != .null
            else { continue }
            renamed[JSONKey(name)] = value
        }
        return renamed
    }

    /// Whether layers may have fewer key-value heads than query heads.
    var groupsQueries: Bool {
        if case .field = keyValueHeads { true } else { false }
    }

    /// The default of `head_dim`; nil for `hidden_size` divided by `num_attention_heads`.
    var usualHeadDimension: Int? {
        if case .field(let usual) = headDimension { usual } else { nil }
    }

    /// Whether the classes of `transformers` read `head_dim`.
    var readsHeadDimension: Bool {
        if case .field = headDimension { true } else { false }
    }
}

extension Family {
    /// Whether `transformers` requires that the number of heads divides the hidden size, even if it
    /// reads `head_dim`.
    public var dividesWidthByHeads: Bool { config.dividesWidthByHeads }

    /// The optional weights that every model of the family has.
    public var alwaysHas: OptionalWeights { config.fixedWeights }

    /// The boolean fields of `config.json` that state whether a model has further optional weights.
    public var optionalWeightFields: [(field: String, weights: OptionalWeights)] {
        config.weightSwitches.map { ($0.field, $0.weights) }
    }
}
