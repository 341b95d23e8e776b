internal import ModelFiles

/// What the `config.json` of a family says: names of fields, and what an absent field means.
///
/// Fields are named here as most families name them; ``fieldNames`` has the others.
struct ConfigConventions: Sendable {
    /// What the family calls a field that most families call otherwise.
    var fieldNames: [String: String] = [:]
    /// `max_position_embeddings` if absent.
    var usualPositions: Int
    /// Rows of the position embedding ahead of the first position's.
    var reservedPositions = ReservedPositions.none
    /// `type_vocab_size` if absent; 0 for families without segment types, which do not read it.
    var usualSegmentTypes = 0
    /// The field with the epsilon of all norms; nil if the epsilon is fixed.
    var normEpsilonField: String?
    /// The epsilon if the field is absent.
    var usualNormEpsilon: Double
    /// `tie_word_embeddings` if absent.
    var usuallyTiesHead: Bool
    /// How wide a head is.
    var headDimension = HeadDimension.shareOfWidth
    /// `partial_rotary_factor` if absent, the share of a head's channels that positions turn; nil for
    /// families whose stock code turns whole heads.
    var usualRotaryShare: Double?
    /// How many key-value heads a layer has.
    var keyValueHeads = KeyValueHeads.asQueryHeads
    /// Whether `transformers` refuses a hidden size that the number of heads does not divide.
    var dividesWidthByHeads = false
    /// `intermediate_size` over `hidden_size` if the former is absent; nil if it must be there.
    var usualFeedForwardRatio: Int?
    /// How far back a token sees.
    var window = Window.none
    /// `bos_token_id` if absent.
    var usualBeginning: [Int] = []
    /// `eos_token_id` if absent.
    var usualEnd: [Int] = []
    /// `pad_token_id` if absent.
    var usualPadding: [Int] = []
    /// Optional weights that every model of the family has.
    var fixedWeights: OptionalWeights = []
    /// Fields that are true if a model has optional weights.
    var weightSwitches: [WeightSwitch] = []
    /// Fields that are not computed, with the values that change nothing.
    var neutralFields: [String: [JSONValue]] = [:]
    /// Fields that must be equal to `hidden_size` if they are there.
    var copiesOfHiddenSize: [String] = []

    /// Rows of the position embedding ahead of the first position's.
    enum ReservedPositions: Sendable {
        /// There are none.
        case none
        /// Rows beyond the number of positions that the configuration gives.
        case additional(Int)
        /// Rows up to that of `pad_token_id`, counted by the configuration as positions.
        case throughPadding
    }

    /// How wide a head is.
    enum HeadDimension: Sendable {
        /// `hidden_size` over `num_attention_heads`. Stock code reads no field.
        case shareOfWidth
        /// `head_dim`, or if absent the usual value, or without one the share of the width.
        case field(usual: Int?)
    }

    /// How many key-value heads a layer has.
    enum KeyValueHeads: Sendable {
        /// As many as query heads; there is no field.
        case asQueryHeads
        /// `num_key_value_heads`, or if absent the usual number, or without one that of query heads.
        case field(usual: Int?)
    }

    /// How far back a token sees.
    enum Window: Sendable {
        /// To the first token.
        case none
        /// `sliding_window` tokens, if a field is true; without a field always.
        case sliding(ifSet: String?)
    }

    /// A field that is true if a model has some optional weights.
    struct WeightSwitch: Sendable {
        /// The field's name.
        let field: String
        /// The weights.
        let weights: OptionalWeights
    }
}

extension ConfigConventions {
    /// What the family calls a field.
    func fieldName(_ name: String) -> String { fieldNames[name] ?? name }

    /// Whether layers may have fewer key-value heads than query heads.
    var groupsQueries: Bool {
        if case .field = keyValueHeads { true } else { false }
    }

    /// `head_dim` if absent; nil for the share of the hidden size.
    var usualHeadDimension: Int? {
        if case .field(let usual) = headDimension { usual } else { nil }
    }

    /// Whether stock code reads `head_dim`.
    var readsHeadDimension: Bool {
        if case .field = headDimension { true } else { false }
    }
}

extension Family {
    /// Whether `transformers` refuses a hidden size that the number of heads does not divide, also
    /// where it reads `head_dim`.
    public var dividesWidthByHeads: Bool { config.dividesWidthByHeads }

    /// The optional weights that every model of the family has.
    public var alwaysHas: OptionalWeights { config.fixedWeights }

    /// The fields of `config.json` that are true if a model has further optional weights.
    public var optionalWeightFields: [(field: String, weights: OptionalWeights)] {
        config.weightSwitches.map { ($0.field, $0.weights) }
    }
}
