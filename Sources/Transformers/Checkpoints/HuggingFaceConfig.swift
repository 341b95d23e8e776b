public import ModelFiles

/// A Hugging Face `config.json` of a known family, with the sizes of each layer.
///
/// Comments use the names that most families have for fields. The other names are in ``Family``.
///
/// The sizes of individual layers are in `espalier_layers`, or in `per_layer_config` of
/// `transformers`: `{"5": {"intermediate_size": 960}, "23": {"skip": ["mlp"]}}`.
public struct HuggingFaceConfig: Sendable, Equatable {
    /// The path of the file, for error messages.
    public let path: String
    /// All members of the file, including unknown ones.
    ///
    /// If a family has several names for a field, the member has the usual one.
    public let members: [JSONKey: JSONValue]
    /// The family, which `model_type` names.
    public let family: Family
    /// `hidden_size`, the width of the residual stream.
    public let hiddenSize: Int
    /// `head_dim`, the number of channels of a head.
    ///
    /// If the family does not read the field or it is absent, it is the default of the family, or
    /// else `hidden_size` divided by `num_attention_heads`.
    public let headDimension: Int
    /// The number of leading channels of each head that rotary embeddings rotate.
    ///
    /// It is less than ``headDimension`` if `partial_rotary_factor` is less than 1.
    public let rotaryDimension: Int
    /// `vocab_size`, the number of rows of the token embedding.
    public let vocabularySize: Int
    /// The maximum sequence length.
    ///
    /// It is `max_position_embeddings` minus the positions that RoBERTa and MPNet reserve.
    public let maximumPositions: Int
    /// The number of rows of the position embedding before the row of the first position.
    public let reservedPositions: Int
    /// `type_vocab_size`; 0 for decoders.
    public let typeVocabularySize: Int
    /// `layer_norm_eps` or `rms_norm_eps`.
    public let normEpsilon: Double
    /// `rope_theta`, at the top level or in `rope_parameters`; usually 10000 if it is absent.
    public let ropeTheta: Double
    /// The scaling in `rope_scaling` or `rope_parameters`; nil if frequencies are not scaled.
    public let ropeScaling: RopeScaling?
    /// The constant factors of the forward pass; nil if there are none.
    public let factors: Factors?
    /// The terms of attention scores that depend on the distance; nil if there are none.
    public let biases: PositionBiases?
    /// `hidden_act`, such as `gelu` or `silu`.
    public let activation: String
    /// `tie_word_embeddings`: whether the output head is the token embedding.
    public let tiesWordEmbeddings: Bool
    /// `bos_token_id`: zero or more ids.
    public let beginningTokens: [Int]
    /// `eos_token_id`: zero or more ids.
    public let endTokens: [Int]
    /// `pad_token_id`.
    public let paddingToken: Int?
    /// The default sizes, for layers that have no sizes of their own.
    public let defaultLayer: LayerShape
    /// The sizes of each layer, `num_hidden_layers` of them.
    public let layers: [LayerShape]

    /// Reads a `config.json`, or the one in a directory.
    public init(path: String) throws(ModelFileError) {
        let file = FileKind(of: path) == .directory ? path + "/config.json" : path
        try self.init(parsing: InputFile(path: file).bytes, path: file)
    }

    /// Parses the text of a `config.json`.
    ///
    /// The path is used in error messages only.
    public init(parsing bytes: [UInt8], path: String) throws(ModelFileError) {
        guard let members = try JSONValue(parsing: bytes, file: path).object else {
            throw ModelFileError(file: path, problem: "it is not a JSON object")
        }
        try self.init(members: members, path: path)
    }

    /// The LayerDrop probability: the first field of ``layerDropFields`` with a value in 0..<1.
    ///
    /// It is 0 if there is none.
    public var layerDrop: Double {
        for name in Self.layerDropFields {
            switch members[JSONKey(name)] {
            case .number(let share) where 0..<1 ~= share: return share
            default: continue
            }
        }
        return 0
    }

    /// The names of the field with the LayerDrop probability.
    ///
    /// The first name is used for writing.
    public static let layerDropFields = ["layerdrop", "encoder_layerdrop", "decoder_layerdrop"]

    /// Creates a configuration from the members of a `config.json`.
    ///
    /// The path is used in error messages only.
    public init(members: [JSONKey: JSONValue], path: String) throws(ModelFileError) {
        var fields = ConfigFields(file: path, members: members)
        guard let family = try fields.string("model_type").flatMap(Family.init(named:)) else {
            let known = Family.all.map { "\($0.name) (\($0.examples))" }
            throw fields.fault(
                "model_type", "this type of model is not supported",
                remedy: "use a model of one of these types: "
                    + known.joined(separator: ", ")
                    + "; a model that computes the same as one of them can be saved as that type "
                    + "with transformers")
        }
        let (conventions, isRotary) = (family.config, family.architecture.positions == .rotary)
        let renamed = conventions.renamed(members)
        fields = ConfigFields(file: path, members: renamed, name: conventions.fieldName)
        try Self.refuseUnsupported(fields, family)

        self.path = path
        self.members = renamed
        self.family = family
        hiddenSize = try fields.size("hidden_size", upTo: Limit.width)
        vocabularySize = try fields.size("vocab_size", upTo: Limit.table)
        let positions =
            try fields.optionalSize("max_position_embeddings", upTo: Limit.table)
            ?? conventions.usualPositions
        let padding = try fields.tokens("pad_token_id", default: conventions.usualPadding).first
        paddingToken = padding
        var lost = 0
        switch conventions.reservedPositions {
        case .none: reservedPositions = 0
        case .additional(let rows): reservedPositions = rows
        case .included(let rows): (lost, reservedPositions) = (rows, rows)
        case .throughPadding:
            lost = (padding ?? 1) + 1
            reservedPositions = lost
        }
        guard lost < positions else {
            throw fields.fault(
                "max_position_embeddings",
                "\(positions) leaves no positions after \(lost) reserved ones",
                remedy: "correct it, or pad_token_id")
        }
        maximumPositions = positions - lost
        let usualTypes = conventions.usualSegmentTypes
        typeVocabularySize =
            usualTypes > 0
            ? try fields.optionalSize("type_vocab_size", upTo: Limit.width) ?? usualTypes : 0
        let epsilon = conventions.normEpsilonField
        normEpsilon =
            try epsilon.flatMap { name throws(ModelFileError) in try fields.positive(name) }
            ?? conventions.usualNormEpsilon
        (ropeTheta, ropeScaling) = try Self.rope(fields, conventions)
        factors = try conventions.factors.read(fields)
        activation =
            try fields.string("hidden_act") ?? family.architecture.layer.activation.names[0]
        tiesWordEmbeddings =
            try fields.bool("tie_word_embeddings") ?? conventions.usuallyTiesHead
        beginningTokens = try fields.tokens("bos_token_id", default: conventions.usualBeginning)
        endTokens = try fields.tokens("eos_token_id", default: conventions.usualEnd)

        let heads = try fields.size("num_attention_heads", upTo: Limit.heads)
        biases = conventions.biases?(heads)
        let stated =
            conventions.readsHeadDimension
            ? try fields.optionalSize("head_dim", upTo: Limit.width) : nil
        guard
            let headDimension = stated ?? conventions.usualHeadDimension
                ?? (hiddenSize % heads == 0 ? hiddenSize / heads : nil)
        else {
            throw fields.fault(
                "num_attention_heads", "it does not divide hidden_size \(hiddenSize)",
                remedy: "correct one of the two fields"
                    + (conventions.readsHeadDimension ? ", or give head_dim" : ""))
        }
        guard !isRotary || headDimension % 2 == 0 else {
            throw fields.fault(
                "head_dim", "it is odd, but channels are rotated in pairs", remedy: "correct it")
        }
        rotaryDimension = try Self.rotaryDimension(fields, conventions, of: headDimension)
        self.headDimension = headDimension
        let layerFields = LayerFields(conventions: conventions)
        defaultLayer = try layerFields.defaults(fields)
        let rotated = try conventions.layerRotations.applied(
            to: layerFields.layers(fields, defaults: defaultLayer), fields)
        layers = try conventions.window.applied(
            to: rotated, positions: maximumPositions, fields)
    }

    /// The maximum sizes that are accepted.
    ///
    /// With these sizes, the number of parameters of a model cannot overflow an `Int`.
    public enum Limit {
        /// The maximum width of a vector.
        public static let width = 1 << 18
        /// The maximum number of rows of an embedding.
        static let table = 1 << 24
        /// The maximum number of heads of a layer.
        static let heads = 1 << 10
        /// The maximum number of layers.
        public static let layers = 1 << 10
    }

    /// Refuses fields that change the forward pass and are not supported.
    private static func refuseUnsupported(
        _ fields: ConfigFields, _ family: Family
    ) throws(ModelFileError) {
        try QuantizedWeights.refuse(fields)
        try KnownFields.refuseUnsupported(fields, family)
        let remedy = "use a model without it"
        for name in family.config.copiesOfHiddenSize {
            let hidden = try fields.size("hidden_size", upTo: Limit.width)
            let width = try fields.optionalSize(name, upTo: Limit.width)
            guard width ?? hidden == hidden else {
                throw fields.fault(name, "only hidden_size is supported here", remedy: remedy)
            }
        }
        guard family.architecture.positions == .rotary else { return }
        for scope in [fields, try fields.object("rope_parameters") ?? fields]
        where family.config.usualRotaryShare == nil {
            guard try scope.positive("partial_rotary_factor") ?? 1 == 1 else {
                throw scope.fault(
                    "partial_rotary_factor", "only 1 is supported", remedy: remedy)
            }
        }
        let kinds = try family.config.window.types(fields)
        guard let layers = fields.value("layer_types") else { return }
        guard let layers = layers.array, layers.allSatisfy({ kinds.contains($0.string ?? "") })
        else {
            throw fields.fault(
                "layer_types", "only \(kinds.joined(separator: ", ")) is supported",
                remedy: remedy)
        }
    }

    /// The number of leading channels of each head that rotary embeddings rotate.
    ///
    /// The product of `partial_rotary_factor` and the size of a head is rounded down, as in
    /// `transformers`.
    private static func rotaryDimension(
        _ fields: ConfigFields, _ conventions: ConfigConventions, of headDimension: Int
    ) throws(ModelFileError) -> Int {
        guard let usual = conventions.usualRotaryShare else { return headDimension }
        let name = "partial_rotary_factor"
        let inner = try fields.object("rope_parameters")?.positive(name)
        let outer = try fields.positive(name)
        let share = inner ?? outer ?? usual
        let rotated = Int(min(share, 2) * Double(headDimension))
        guard (2...headDimension).contains(rotated), rotated % 2 == 0 else {
            throw fields.fault(
                name,
                "\(rotated) of \(headDimension) channels are rotated, which are not pairs",
                remedy: "correct it")
        }
        return rotated
    }

    /// The base of the rotary frequencies and their scaling.
    private static func rope(
        _ fields: ConfigFields, _ conventions: ConfigConventions
    ) throws(ModelFileError) -> (theta: Double, scaling: RopeScaling?) {
        var theta = try fields.positive("rope_theta")
        var scaling: RopeScaling?
        for name in ["rope_parameters", "rope_scaling"] {
            guard let all = try fields.object(name) else { continue }
            let rope = try conventions.layerRotations.usual(of: all)
            let types = [try rope.string("rope_type"), try rope.string("type")]
            let scaled = types.compactMap(\.self).filter { $0 != "default" }
            guard scaled.allSatisfy({ $0 == "llama3" }),
                rope.members.values.allSatisfy({ $0.object == nil })
            else {
                throw fields.fault(
                    name,
                    "only rotary positions of rope_type \"default\" and \"llama3\" are "
                        + "supported",
                    remedy: "use a model without other rope scaling")
            }
            if !scaled.isEmpty { scaling = try RopeScaling(rope) }
            theta = try rope.positive("rope_theta") ?? theta
        }
        return (theta ?? conventions.usualRopeTheta, scaling)
    }
}
