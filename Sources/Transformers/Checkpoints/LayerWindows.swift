internal import ModelFiles

/// The fields of a configuration that state which layers have attention windows.
///
/// A query of such a layer sees `sliding_window` keys, the last of which is its own token's key.
enum LayerWindows: Sendable {
    /// No layer has a window.
    case none
    /// The layers of the type `sliding_attention` in `layer_types`.
    ///
    /// `ifSet` names a boolean field: layers have windows only if it is true. It is nil if there is
    /// no such field. `usual` is the default of `sliding_window`.
    case sliding(ifSet: String?, usual: Int?, in: Layers)

    /// The layers with windows if `layer_types` is absent.
    enum Layers: Sendable {
        /// All layers; `layer_types` is not read.
        case all
        /// The layers from `max_window_layers` on.
        case fromIndex(usual: Int)
        /// The layers without rotary positions.
        case withoutRotation
        /// All layers except those whose number, counted from 1, is a multiple of
        /// `sliding_window_pattern`.
        case exceptMultiples(usual: Int)
    }

    private static let types = "layer_types"
    private static let localType = "sliding_attention"
    private static let globalType = "full_attention"

    /// The types of layers that are supported.
    func types(_ fields: ConfigFields) throws(ModelFileError) -> [String] {
        try window(fields) == nil ? [Self.globalType] : [Self.globalType, Self.localType]
    }

    /// `sliding_window`; nil if there is no window.
    private func window(_ fields: ConfigFields) throws(ModelFileError) -> Int? {
        guard case .sliding(let flag, let usual, _) = self else { return nil }
        if let flag, try fields.bool(flag) != true { return nil }
        // If the field is null, there is no window.
        guard fields.members["sliding_window"] != nil else { return usual }
        return try fields.optionalSize("sliding_window", upTo: HuggingFaceConfig.Limit.table)
    }

    /// Returns the layers with their windows.
    ///
    /// A window of at least the maximum sequence length changes nothing, and is left out.
    func applied(
        to layers: [LayerShape], positions: Int, _ fields: ConfigFields
    ) throws(ModelFileError) -> [LayerShape] {
        guard case .sliding(_, _, let kind) = self, let window = try window(fields),
            window < positions
        else { return layers }
        let isLocal = try isLocal(layers, kind, fields)
        guard isLocal.count == layers.count else {
            throw fields.fault(Self.types, "it must have one type for each layer")
        }
        var layers = layers
        for index in layers.indices where isLocal[index] { layers[index].window = window }
        return layers
    }

    private func isLocal(
        _ layers: [LayerShape], _ kind: Layers, _ fields: ConfigFields
    ) throws(ModelFileError) -> [Bool] {
        let limit = HuggingFaceConfig.Limit.layers
        if case .all = kind { return layers.map { _ in true } }
        if let types = fields.value(Self.types)?.array {
            return types.map { $0 == .string(Self.localType) }
        }
        switch kind {
        case .all: return layers.map { _ in true }
        case .fromIndex(let usual):
            let name = "max_window_layers"
            // 0 is a valid index, but not a valid size.
            let first =
                fields.value(name) == .integer(0)
                ? 0 : try fields.optionalSize(name, upTo: limit) ?? usual
            return layers.indices.map { $0 >= first }
        case .withoutRotation: return layers.map { $0.rotation == .absent }
        case .exceptMultiples(let usual):
            let pattern =
                try fields.optionalSize("sliding_window_pattern", upTo: limit) ?? usual
            return layers.indices.map { ($0 + 1) % pattern != 0 }
        }
    }

    /// Returns the fields of a configuration with these layers.
    func members(of layers: [LayerShape]) -> [JSONKey: JSONValue] {
        guard case .sliding(_, _, let kind) = self, layers.contains(where: { $0.window != nil })
        else { return [:] }
        if case .all = kind { return [:] }
        return [
            JSONKey(Self.types): .array(
                layers.map { .string($0.window == nil ? Self.globalType : Self.localType) })
        ]
    }
}
