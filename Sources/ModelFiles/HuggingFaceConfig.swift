/// A Hugging Face `config.json` of a known family, with the sizes of each layer.
///
/// Members are named here as most families name them; ``Family/fieldName(_:)`` tells of others.
///
/// Sizes of single layers come from `espalier_layers`, or `per_layer_config` of `transformers`:
/// `{"5": {"intermediate_size": 960}, "23": {"skip": ["mlp"]}}`.
public struct HuggingFaceConfig: Sendable, Equatable {
    /// The `model_type` values that are read.
    public enum Family: String, Sendable, CaseIterable {
        /// Post-norm encoder with biases.
        case bert
        /// `bert` whose positions begin behind that of padding.
        case roberta
        /// `roberta` for many languages.
        case xlmRoberta = "xlm-roberta"
        /// `bert` without segment types.
        case distilbert
        /// Pre-norm decoder with rotary positions.
        case llama
        /// `llama` with a window of attention, which no sequence here goes beyond.
        case mistral
        /// `llama` with biases on queries, keys and values.
        case qwen2
        /// `llama` with norms on the heads of queries and keys.
        case qwen3
        /// Pre-norm decoder with learned positions and biases, its weights turned.
        case gpt2
        /// Pre-norm decoder with learned positions and biases.
        case opt

        /// Whether it reads all tokens at once, rather than one after another.
        public var isEncoder: Bool {
            [.bert, .roberta, .xlmRoberta, .distilbert].contains(self)
        }

        /// Whether a token's position is one beyond those up to padding's.
        var countsPaddedPositions: Bool { self == .roberta || self == .xlmRoberta }

        /// Whether positions have embeddings, norms are layer norms, and projections have biases.
        var hasBiases: Bool { isEncoder || self == .gpt2 || self == .opt }

        /// The activation of a configuration that names none.
        public var usualActivation: String {
            switch self {
            case .bert, .roberta, .xlmRoberta, .distilbert: "gelu"
            case .llama, .mistral, .qwen2, .qwen3: "silu"
            case .gpt2: "gelu_new"
            case .opt: "relu"
            }
        }

        /// What this family calls a member of the configuration.
        public func fieldName(_ name: String) -> String { Self.fieldNames[self]?[name] ?? name }

        private static let fieldNames: [Family: [String: String]] = [
            .distilbert: [
                "hidden_size": "dim", "num_hidden_layers": "n_layers",
                "num_attention_heads": "n_heads", "intermediate_size": "hidden_dim",
                "hidden_act": "activation",
            ],
            .gpt2: [
                "hidden_size": "n_embd", "num_hidden_layers": "n_layer",
                "num_attention_heads": "n_head", "intermediate_size": "n_inner",
                "max_position_embeddings": "n_positions", "layer_norm_eps": "layer_norm_epsilon",
                "hidden_act": "activation_function",
            ],
            .opt: ["intermediate_size": "ffn_dim", "hidden_act": "activation_function"],
        ]
    }

    /// The file that was read, for errors.
    public let path: String
    /// Every member of the file, known or not.
    public let members: [JSONKey: JSONValue]
    /// `model_type`.
    public let family: Family
    /// `hidden_size`, the width of the residual stream.
    public let hiddenSize: Int
    /// `head_dim`, else `hidden_size` over `num_attention_heads`.
    public let headDimension: Int
    /// `vocab_size`.
    public let vocabularySize: Int
    /// The longest sequence: `max_position_embeddings` without those reserved, or the window of
    /// attention where that is shorter.
    public let maximumPositions: Int
    /// Rows of the position embedding that no token has, ahead of the first position's.
    public let reservedPositions: Int
    /// `type_vocab_size`; 0 for decoders.
    public let typeVocabularySize: Int
    /// `layer_norm_eps` or `rms_norm_eps`.
    public let normEpsilon: Double
    /// `rope_theta`, at the top or in `rope_parameters`; 10000 where absent.
    public let ropeTheta: Double
    /// `rope_scaling`, or the same in `rope_parameters`; nil where positions are not scaled.
    public let ropeScaling: RopeScaling?
    /// `hidden_act`, such as `gelu` or `silu`.
    public let activation: String
    /// `tie_word_embeddings`: whether the output head is the token embedding.
    public let tiesWordEmbeddings: Bool
    /// `bos_token_id`, none or more.
    public let beginningTokens: [Int]
    /// `eos_token_id`, none or more.
    public let endTokens: [Int]
    /// `pad_token_id`.
    public let paddingToken: Int?
    /// The sizes that hold for every layer without its own.
    public let defaultLayer: LayerShape
    /// The sizes of each layer, `num_hidden_layers` of them.
    public let layers: [LayerShape]

    /// Reads a `config.json`, or the one in a directory.
    public init(path: String) throws(ModelFileError) {
        let file = FileKind(of: path) == .directory ? path + "/config.json" : path
        try self.init(parsing: InputFile(path: file).bytes, path: file)
    }

    /// Reads the text of a `config.json` that is, or would be, at a path.
    public init(parsing bytes: [UInt8], path: String) throws(ModelFileError) {
        guard let members = try JSONValue(parsing: bytes, file: path).object else {
            throw ModelFileError(file: path, problem: "it is no JSON object")
        }
        try self.init(members: members, path: path)
    }

    /// How likely a layer is left out in training, by any of the fields that models have for it; 0
    /// where there is none in its range.
    public var layerDrop: Double {
        for name in Self.layerDropFields {
            switch members[JSONKey(name)] {
            case .number(let share) where 0..<1 ~= share: return share
            default: continue
            }
        }
        return 0
    }

    /// What the likelihood of leaving out a layer is called; the first is written.
    public static let layerDropFields = ["layerdrop", "encoder_layerdrop", "decoder_layerdrop"]

    /// Takes the members of a configuration that is, or would be, at a path.
    public init(members: [JSONKey: JSONValue], path: String) throws(ModelFileError) {
        var fields = ConfigFields(file: path, members: members)
        guard let family = try fields.string("model_type").flatMap(Family.init) else {
            let known = Family.allCases.map { "\($0.rawValue) (\($0.examples))" }
            throw fields.fault(
                "model_type", "this type of model is not supported",
                remedy: "name a model of one of these types: "
                    + known.joined(separator: ", ")
                    + "; a model that computes the same as one of them can be saved as that type "
                    + "with transformers")
        }
        fields.name = family.fieldName
        let (isEncoder, hasBiases) = (family.isEncoder, family.hasBiases)
        try Self.refuseUnsupported(fields, family)

        self.path = path
        self.members = members
        self.family = family
        hiddenSize = try fields.size("hidden_size", upTo: Limit.width)
        vocabularySize = try fields.size("vocab_size", upTo: Limit.table)
        let positions =
            try fields.optionalSize("max_position_embeddings", upTo: Limit.table)
            ?? family.usualPositions
        let skipsPadding = family.countsPaddedPositions
        let padding = try fields.tokens(
            "pad_token_id", default: skipsPadding ? [1] : isEncoder ? [0] : []
        ).first
        paddingToken = padding
        let lost = skipsPadding ? (padding ?? 1) + 1 : 0
        // OPT's table has two rows more than it says.
        reservedPositions = family == .opt ? 2 : lost
        guard lost < positions else {
            throw fields.fault(
                "max_position_embeddings", "\(positions) leaves none behind pad_token_id",
                remedy: "correct either")
        }
        maximumPositions =
            min(positions, try Self.window(fields, family) ?? positions) - lost
        typeVocabularySize =
            isEncoder && family != .distilbert
            ? try fields.optionalSize("type_vocab_size", upTo: Limit.width) ?? 2 : 0
        // These two families do not read it.
        let isFixed = family == .distilbert || family == .opt
        normEpsilon =
            try (isFixed ? nil : fields.positive(hasBiases ? "layer_norm_eps" : "rms_norm_eps"))
            ?? (isEncoder ? 1e-12 : hasBiases ? 1e-5 : 1e-6)
        (ropeTheta, ropeScaling) = try Self.rope(fields)
        activation = try fields.string("hidden_act") ?? family.usualActivation
        tiesWordEmbeddings = try fields.bool("tie_word_embeddings") ?? hasBiases
        beginningTokens = try fields.tokens("bos_token_id", default: family.usualEnds.beginning)
        endTokens = try fields.tokens("eos_token_id", default: family.usualEnds.end)

        let heads = try fields.size("num_attention_heads", upTo: Limit.heads)
        guard
            let headDimension = try fields.optionalSize("head_dim", upTo: Limit.width)
                ?? (family == .qwen3 ? 128 : nil)
                ?? (hiddenSize % heads == 0 ? hiddenSize / heads : nil)
        else {
            throw fields.fault(
                "num_attention_heads", "it does not divide hidden_size \(hiddenSize)",
                remedy: "correct either, or give head_dim")
        }
        guard hasBiases || headDimension % 2 == 0 else {
            throw fields.fault(
                "head_dim", "rotary positions turn pairs, and it is odd", remedy: "correct it")
        }
        self.headDimension = headDimension
        let layerFields = LayerFields(family: family)
        defaultLayer = try layerFields.defaults(fields)
        layers = try layerFields.layers(fields, defaults: defaultLayer)
    }

    /// The largest sizes believed: with them, counts of parameters fit an `Int` by far.
    public enum Limit {
        /// Widths of vectors.
        public static let width = 1 << 18
        /// Rows of embedding tables.
        static let table = 1 << 24
        /// Heads of a layer.
        static let heads = 1 << 10
        /// Layers.
        public static let layers = 1 << 10
    }

    /// Refuses what would change the forward pass and is not computed here.
    private static func refuseUnsupported(
        _ fields: ConfigFields, _ family: Family
    ) throws(ModelFileError) {
        try QuantizedWeights.refuse(fields)
        try KnownFields.refuseUnsupported(fields, family)
        let remedy = "name a model without it"
        if family == .opt {
            let hidden = try fields.size("hidden_size", upTo: Limit.width)
            let width = try fields.optionalSize("word_embed_proj_dim", upTo: Limit.width)
            guard width ?? hidden == hidden else {
                throw fields.fault(
                    "word_embed_proj_dim", "only hidden_size is supported", remedy: remedy)
            }
        }
        guard !family.hasBiases else { return }
        for scope in [fields, try fields.object("rope_parameters") ?? fields] {
            guard try scope.positive("partial_rotary_factor") ?? 1 == 1 else {
                throw scope.fault(
                    "partial_rotary_factor", "only whole heads are rotated", remedy: remedy)
            }
        }
        let kinds = ["full_attention"] + (try window(fields, family) == nil ? [] : [slidingName])
        guard let layers = fields.value("layer_types") else { return }
        guard let layers = layers.array, layers.allSatisfy({ kinds.contains($0.string ?? "") })
        else {
            throw fields.fault(
                "layer_types", "only \(kinds.joined(separator: ", ")) is computed here",
                remedy: remedy)
        }
    }

    /// What `layer_types` calls a layer whose attention has a window.
    private static let slidingName = "sliding_attention"

    /// How far back a token sees; nil where that is not limited.
    private static func window(
        _ fields: ConfigFields, _ family: Family
    ) throws(ModelFileError) -> Int? {
        switch family {
        case .bert, .roberta, .xlmRoberta, .distilbert, .llama, .gpt2, .opt: return nil
        case .mistral: break
        case .qwen2, .qwen3:
            guard try fields.bool("use_sliding_window") ?? false else { return nil }
        }
        // Absent, it has the default of its class; null stands for no window.
        guard fields.members["sliding_window"] != nil else { return 4096 }
        return try fields.optionalSize("sliding_window", upTo: Limit.table)
    }

    /// The base of the rotary frequencies, and how they are scaled.
    private static func rope(
        _ fields: ConfigFields
    ) throws(ModelFileError) -> (theta: Double, scaling: RopeScaling?) {
        var theta = try fields.positive("rope_theta")
        var scaling: RopeScaling?
        for name in ["rope_parameters", "rope_scaling"] {
            guard let rope = try fields.object(name) else { continue }
            let types = [try rope.string("rope_type"), try rope.string("type")]
            let scaled = types.compactMap(\.self).filter { $0 != "default" }
            guard scaled.allSatisfy({ $0 == "llama3" }),
                rope.members.values.allSatisfy({ $0.object == nil })
            else {
                throw fields.fault(
                    name,
                    "of rotary positions only those of rope_type \"default\" and \"llama3\" are "
                        + "supported",
                    remedy: "name a model without other rope scaling")
            }
            if !scaled.isEmpty { scaling = try RopeScaling(rope) }
            theta = try rope.positive("rope_theta") ?? theta
        }
        return (theta ?? 10_000, scaling)
    }
}
