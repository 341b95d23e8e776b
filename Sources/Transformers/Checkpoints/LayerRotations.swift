internal import ModelFiles

/// The fields of a configuration that state which layers have rotary positions of their own.
enum LayerRotations: Sendable {
    /// All layers have the rotary positions of the model.
    case none
    /// Layers without rotary positions.
    ///
    /// `no_rope_layers` has 0 for these layers and 1 for the other layers. If it is absent, these
    /// layers are those whose number, counted from 1, is a multiple of `no_rope_layer_interval`.
    case absent(usualInterval: Int)
    /// Layers of the type `sliding_attention` have the base `rope_local_base_freq`, or the base in
    /// `rope_parameters`.
    ///
    /// If `layer_types` is absent, all layers have this type except those whose number, counted
    /// from 1, is a multiple of `sliding_window_pattern`.
    case local(usualBase: Double, usualPattern: Int)

    /// The names of the fields.
    var fieldNames: [String] {
        switch self {
        case .none: []
        case .absent: [Self.switches, Self.interval]
        case .local: [Self.base, Self.pattern, "_" + Self.pattern]
        }
    }

    private static let switches = "no_rope_layers"
    private static let interval = "no_rope_layer_interval"
    private static let base = "rope_local_base_freq"
    private static let pattern = "sliding_window_pattern"
    private static let types = "layer_types"
    private static let localType = "sliding_attention"
    private static let globalType = "full_attention"

    /// The object in `rope_parameters` for the layers without a base of their own.
    func usual(of rope: ConfigFields) throws(ModelFileError) -> ConfigFields {
        guard case .local = self else { return rope }
        return try rope.object(Self.globalType) ?? rope
    }

    /// Whether a member of `rope_parameters` has the positions of some layers.
    func isKnown(inParameters name: String) -> Bool {
        if case .local = self { [Self.localType, Self.globalType].contains(name) } else { false }
    }

    /// Returns the layers with their rotations.
    func applied(
        to layers: [LayerShape], _ fields: ConfigFields
    ) throws(ModelFileError) -> [LayerShape] {
        var layers = layers
        switch self {
        case .none: break
        case .absent(let usual):
            let interval =
                try fields.optionalSize(Self.interval, upTo: HuggingFaceConfig.Limit.layers)
                ?? usual
            var rotates = layers.indices.map { ($0 + 1) % interval != 0 }
            if let list = fields.value(Self.switches)?.array, !list.isEmpty {
                rotates = list.map { $0 != .integer(0) && $0 != .bool(false) }
            }
            guard rotates.count == layers.count else {
                throw fields.fault(Self.switches, "it must have one number for each layer")
            }
            for index in layers.indices where !rotates[index] { layers[index].rotation = .absent }
        case .local(let usualBase, let usualPattern):
            let rope = try fields.object("rope_parameters")?.object(Self.localType)
            let type = try rope?.string("rope_type") ?? "default"
            guard type == "default" else {
                throw fields.fault(
                    "rope_parameters", "scaling of local positions is not supported",
                    remedy: "use a model without it")
            }
            let inner = try rope?.positive("rope_theta")
            let outer = try fields.positive(Self.base)
            let base = inner ?? outer ?? usualBase
            let limit = HuggingFaceConfig.Limit.layers
            let pattern = try fields.optionalSize(Self.pattern, upTo: limit) ?? usualPattern
            var isLocal = layers.indices.map { ($0 + 1) % pattern != 0 }
            if let types = fields.value(Self.types)?.array {
                isLocal = types.map { $0 == .string(Self.localType) }
            }
            guard isLocal.count == layers.count else {
                throw fields.fault(Self.types, "it must have one type for each layer")
            }
            for index in layers.indices where isLocal[index] {
                layers[index].rotation = .base(Float(base))
            }
        }
        return layers
    }

    /// Returns the fields of a configuration with these layers.
    func members(of layers: [LayerShape]) -> [JSONKey: JSONValue] {
        switch self {
        case .none: [:]
        case .absent:
            [
                JSONKey(Self.switches): .array(
                    layers.map { .integer($0.rotation == .absent ? 0 : 1) })
            ]
        case .local:
            [
                JSONKey(Self.types): .array(
                    layers.map { .string($0.rotation == nil ? Self.globalType : Self.localType) })
            ]
        }
    }
}
