public import ModelFiles

/// Reads and writes the sizes of layers in a configuration.
struct LayerFields {
    private typealias Limit = HuggingFaceConfig.Limit

    let conventions: ConfigConventions

    /// The sizes at the configuration's top.
    func defaults(_ fields: ConfigFields) throws(ModelFileError) -> LayerShape {
        let heads = try fields.size("num_attention_heads", upTo: Limit.heads)
        let sizes = LayerShape(
            queryHeads: heads, keyValueHeads: try keyValueHeads(fields) ?? heads,
            feedForward: try feedForward(fields))
        try check(sizes, fields)
        return sizes
    }

    /// The member that says which layers have other sizes, as it is written.
    ///
    /// `transformers` has `per_layer_config` for that, which is read too; but of a file with that
    /// name its stock classes warn whenever a tokenizer is loaded.
    static let member = "espalier_layers"

    /// The sizes of each layer: the defaults, but for what the file says of single ones.
    func layers(
        _ fields: ConfigFields, defaults: LayerShape
    ) throws(ModelFileError) -> [LayerShape] {
        let count = try fields.size("num_hidden_layers", upTo: Limit.layers)
        var layers = [LayerShape](repeating: defaults, count: count)
        let named = [Self.member, "per_layer_config"].first { fields.value($0) != nil }
        guard let named, let overrides = try fields.object(named) else { return layers }
        let groupsQueries = try keyValueHeads(fields) != nil
        var seen: Set<Int> = []
        for name in overrides.members.keys.map(\.text).sorted() {
            // `transformers` pads indices with zeros, so that they sort.
            guard name.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }),
                let index = Int(name), index < count, seen.insert(index).inserted
            else {
                throw overrides.fault(
                    name, "it is no layer index below \(count), or a second one for its layer",
                    remedy: "correct the index or num_hidden_layers")
            }
            guard let layer = try overrides.object(name) else { continue }
            layers[index] = try sizes(layer, defaults: defaults, groupsQueries: groupsQueries)
        }
        return layers
    }

    /// The sizes that a configuration's top should give: those of all layers where these are alike
    /// and stock code can tell so, else the usual ones.
    ///
    /// Only families with `head_dim` may have fewer heads at the top, and Llama only as many as
    /// divide the width.
    func top(of layers: [LayerShape], usual: LayerShape, hiddenSize: Int) -> LayerShape {
        guard let first = layers.first, layers.allSatisfy({ $0 == first }), first.feedForward > 0,
            first.queryHeads > 0,
            conventions.readsHeadDimension || first.queryHeads == usual.queryHeads,
            !conventions.dividesWidthByHeads || hiddenSize % first.queryHeads == 0
        else { return usual }
        return first
    }

    /// What must be said of single layers; nil where all have the defaults.
    func overrides(of layers: [LayerShape], defaults: LayerShape) -> JSONValue? {
        var overrides: [JSONKey: JSONValue] = [:]
        for (index, layer) in layers.enumerated() where layer != defaults {
            var members: [JSONKey: JSONValue] = [:]
            var skipped: [JSONValue] = []
            if layer.queryHeads == 0 {
                skipped.append(.string("attention"))
            } else if (layer.queryHeads, layer.keyValueHeads)
                != (defaults.queryHeads, defaults.keyValueHeads)
            {
                members["num_attention_heads"] = .integer(layer.queryHeads)
                if conventions.groupsQueries {
                    members["num_key_value_heads"] = .integer(layer.keyValueHeads)
                }
            }
            if layer.feedForward == 0 {
                skipped.append(.string("mlp"))
            } else if layer.feedForward != defaults.feedForward {
                members["intermediate_size"] = .integer(layer.feedForward)
            }
            if !skipped.isEmpty { members["skip"] = .array(skipped) }
            overrides[JSONKey(String(index))] = .object(members)
        }
        return overrides.isEmpty ? nil : .object(overrides)
    }

    /// The sizes of one layer; `groupsQueries` where the top counts key-value heads apart.
    private func sizes(
        _ fields: ConfigFields, defaults: LayerShape, groupsQueries: Bool
    ) throws(ModelFileError) -> LayerShape {
        let known = ["num_attention_heads", "num_key_value_heads", "intermediate_size", "skip"]
        if let other = fields.members.keys.map(\.text).sorted().first(where: { !known.contains($0) }
        ) {
            throw fields.fault(
                other, "only \(known.joined(separator: ", ")) may differ between layers",
                remedy: "name a model whose layers differ only there")
        }
        var sizes = defaults
        if let heads = try fields.optionalSize("num_attention_heads", upTo: Limit.heads) {
            sizes.queryHeads = heads
            if !groupsQueries { sizes.keyValueHeads = heads }
        }
        sizes.keyValueHeads = try keyValueHeads(fields) ?? sizes.keyValueHeads
        sizes.feedForward =
            try fields.optionalSize("intermediate_size", upTo: Limit.width) ?? sizes.feedForward
        try check(sizes, fields)
        guard let skip = fields.value("skip") else { return sizes }
        guard let skipped = skip.array else { throw fields.fault("skip", "it is no list") }
        for branch in skipped {
            switch branch {
            case .string("attention"): (sizes.queryHeads, sizes.keyValueHeads) = (0, 0)
            case .string("mlp"): sizes.feedForward = 0
            default: throw fields.fault("skip", "only \"attention\" and \"mlp\" can be skipped")
            }
        }
        return sizes
    }

    /// `intermediate_size`, or if absent the usual multiple of `hidden_size`.
    private func feedForward(_ fields: ConfigFields) throws(ModelFileError) -> Int {
        let given = try fields.optionalSize("intermediate_size", upTo: Limit.width)
        guard let ratio = conventions.usualFeedForwardRatio, given == nil else {
            return try fields.size("intermediate_size", upTo: Limit.width)
        }
        return ratio * (try fields.size("hidden_size", upTo: Limit.width / ratio))
    }

    /// `num_key_value_heads`; nil for families without this field.
    private func keyValueHeads(_ fields: ConfigFields) throws(ModelFileError) -> Int? {
        guard case .field(let usual) = conventions.keyValueHeads else { return nil }
        let isAbsent = fields.prefix.isEmpty && fields.members["num_key_value_heads"] == nil
        return try fields.optionalSize("num_key_value_heads", upTo: Limit.heads)
            ?? (isAbsent ? usual : nil)
    }

    /// Checks that key-value heads are shared evenly.
    private func check(_ sizes: LayerShape, _ fields: ConfigFields) throws(ModelFileError) {
        guard sizes.queryHeads % sizes.keyValueHeads == 0 else {
            throw fields.fault(
                "num_key_value_heads",
                "\(sizes.keyValueHeads) does not divide num_attention_heads \(sizes.queryHeads)")
        }
    }
}

extension HuggingFaceConfig {
    /// The text of this configuration for a model whose layers have other sizes.
    ///
    /// Every member is kept but `num_hidden_layers`, which counts the layers, the sizes at the top
    /// where all layers have others, what says where layers differ, and second names of these
    /// sizes, which `transformers` would take instead.
    ///
    /// - Parameters:
    ///   - layers: The sizes of each layer.
    ///   - hiddenSize: The channels of the residual stream; nil for as many as here.
    ///   - extra: Members to add or replace, such as `auto_map`; null removes one.
    /// - Returns: Indented JSON with sorted keys, the same bytes for the same values.
    public func encoded(
        layers: [LayerShape], hiddenSize: Int? = nil, extra: [JSONKey: JSONValue] = [:]
    ) -> [UInt8] {
        var members = members
        let (fields, top) = fieldsAndTop(of: layers, hiddenSize)
        func set(_ name: String, _ value: Int) {
            members[JSONKey(name)] = nil
            members[JSONKey(family.config.fieldName(name))] = .integer(value)
        }
        set("num_hidden_layers", layers.count)
        set("hidden_size", hiddenSize ?? self.hiddenSize)
        // Of the layers as they were; `transformers` makes it anew.
        if layers.count != self.layers.count { members["layer_types"] = nil }
        if top != defaultLayer {
            set("num_attention_heads", top.queryHeads)
            set("intermediate_size", top.feedForward)
            if family.config.groupsQueries { set("num_key_value_heads", top.keyValueHeads) }
            if family.config.readsHeadDimension { set("head_dim", headDimension) }
        }
        members["per_layer_config"] = nil
        members["allow_global_per_layer_attribute_access"] = nil
        members[JSONKey(LayerFields.member)] = fields.overrides(of: layers, defaults: top)
        members.merge(extra) { _, new in new }
        for (key, value) in extra where value == .null { members[key] = nil }
        return JSONValue.object(members).encoded(indented: true) + [UInt8(ascii: "\n")]
    }

    /// Whether a model with layers of such sizes needs code of its own, because stock code gives all
    /// layers the sizes at the top.
    public func needsCode(for layers: [LayerShape], hiddenSize: Int? = nil) -> Bool {
        let (fields, top) = fieldsAndTop(of: layers, hiddenSize)
        return fields.overrides(of: layers, defaults: top) != nil
    }

    private func fieldsAndTop(
        of layers: [LayerShape], _ hiddenSize: Int?
    ) -> (fields: LayerFields, top: LayerShape) {
        let (fields, width) = (
            LayerFields(conventions: family.config), hiddenSize ?? self.hiddenSize
        )
        return (fields, fields.top(of: layers, usual: usualLayer(width), hiddenSize: width))
    }

    /// The sizes that stock code can give to the layers of a model of some width: without `head_dim`
    /// it divides the width by the heads, and Llama's wants no remainder.
    private func usualLayer(_ hiddenSize: Int) -> LayerShape {
        var layer = defaultLayer
        if !family.config.readsHeadDimension, hiddenSize != self.hiddenSize {
            layer.queryHeads = hiddenSize / headDimension
            layer.keyValueHeads = layer.queryHeads
        }
        if family.config.dividesWidthByHeads, hiddenSize % layer.queryHeads != 0 {
            layer.queryHeads = Self.commonDivisor(hiddenSize, layer.queryHeads)
            layer.keyValueHeads = Self.commonDivisor(layer.queryHeads, layer.keyValueHeads)
        }
        return layer
    }

    private static func commonDivisor(_ a: Int, _ b: Int) -> Int {
        b == 0 ? a : commonDivisor(b, a % b)
    }
}
