public import ModelFiles

/// Reads and writes the sizes of layers in a configuration.
struct LayerFields {
    private typealias Limit = HuggingFaceConfig.Limit

    let conventions: ConfigConventions

    /// The sizes at the top level of the configuration, which are the default for all layers.
    func defaults(_ fields: ConfigFields) throws(ModelFileError) -> LayerShape {
        let heads = try fields.size("num_attention_heads", upTo: Limit.heads)
        let sizes = LayerShape(
            queryHeads: heads, keyValueHeads: try keyValueHeads(fields) ?? heads,
            feedForward: try feedForward(fields))
        try check(sizes, fields)
        return sizes
    }

    /// The member with the sizes of layers that differ from the default, as this module writes it.
    ///
    /// `transformers` uses `per_layer_config` instead, which is read too. It is not written,
    /// because the classes of `transformers` then warn whenever a tokenizer is loaded.
    static let member = "espalier_layers"

    /// The member of a layer with the indices of its heads before pruning.
    private static let heads: JSONKey = "attention_heads"

    /// The sizes of each layer: its own if the file has them, or else the default.
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
            // `transformers` pads indices with leading zeros, so that they sort.
            guard name.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }),
                let index = Int(name), index < count, seen.insert(index).inserted
            else {
                throw overrides.fault(
                    name, "it is not a layer index below \(count), or it is there twice",
                    remedy: "correct the index or num_hidden_layers")
            }
            guard let layer = try overrides.object(name) else { continue }
            layers[index] = try sizes(layer, defaults: defaults, groupsQueries: groupsQueries)
        }
        return layers
    }

    /// The sizes to write at the top level of a configuration.
    ///
    /// If all layers have the same sizes and the classes of `transformers` can read these, they are
    /// written. Otherwise the usual sizes are written.
    ///
    /// Only families that read `head_dim` may have another number of heads there, and only families
    /// that read `intermediate_size` another number of neurons. In families such
    /// as Llama the number of heads must also divide the hidden size.
    func top(of layers: [LayerShape], usual: LayerShape, hiddenSize: Int) -> LayerShape {
        guard let first = layers.first, layers.allSatisfy({ $0.hasSizes(of: first) }),
            first.feedForward > 0,
            first.queryHeads > 0,
            conventions.readsHeadDimension || first.queryHeads == usual.queryHeads,
            conventions.readsFeedForward || first.feedForward == usual.feedForward,
            !conventions.dividesWidthByHeads || hiddenSize % first.queryHeads == 0
        else { return usual }
        return first
    }

    /// The sizes of the layers that differ from the defaults, as JSON; nil if none differs.
    func overrides(of layers: [LayerShape], defaults: LayerShape) -> JSONValue? {
        var overrides: [JSONKey: JSONValue] = [:]
        for (index, layer) in layers.enumerated() where !layer.hasSizes(of: defaults) {
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
            if let heads = layer.keptHeads, layer.queryHeads > 0 {
                members[Self.heads] = .array(heads.map(JSONValue.integer))
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

    /// The sizes of one layer.
    ///
    /// `groupsQueries` states whether the configuration has a number of key-value heads. Otherwise
    /// their number is the number of query heads.
    private func sizes(
        _ fields: ConfigFields, defaults: LayerShape, groupsQueries: Bool
    ) throws(ModelFileError) -> LayerShape {
        let known =
            ["num_attention_heads", "num_key_value_heads", "intermediate_size", "skip"]
            + (conventions.biases == nil ? [] : [Self.heads.text])
        if let other = fields.members.keys.map(\.text).sorted().first(where: { !known.contains($0) }
        ) {
            throw fields.fault(
                other, "only \(known.joined(separator: ", ")) may differ between layers",
                remedy: "use a model whose layers differ only in these fields")
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
        if let heads = try keptHeads(fields, defaults: defaults, sizes) {
            sizes.keep(heads: heads)
        }
        guard let skip = fields.value("skip") else { return sizes }
        guard let skipped = skip.array else { throw fields.fault("skip", "it is not a list") }
        for branch in skipped {
            switch branch {
            case .string("attention"):
                (sizes.queryHeads, sizes.keyValueHeads, sizes.keptHeads) = (0, 0, nil)
            case .string("mlp"): sizes.feedForward = 0
            default: throw fields.fault("skip", "only \"attention\" and \"mlp\" can be skipped")
            }
        }
        return sizes
    }

    /// The indices of a layer's heads before pruning; nil if they are absent.
    private func keptHeads(
        _ fields: ConfigFields, defaults: LayerShape, _ sizes: LayerShape
    ) throws(ModelFileError) -> [Int]? {
        let name = Self.heads.text
        guard let value = fields.value(name) else { return nil }
        let heads = (value.array ?? []).compactMap(\.integer)
        guard heads.count == value.array?.count, heads.count == sizes.queryHeads,
            heads == Set(heads).sorted(), heads.allSatisfy({ 0..<defaults.queryHeads ~= $0 })
        else {
            throw fields.fault(
                name,
                "it is no ascending list of \(sizes.queryHeads) heads below \(defaults.queryHeads)")
        }
        return heads
    }

    /// `intermediate_size`, or if it is absent the usual multiple of `hidden_size`.
    private func feedForward(_ fields: ConfigFields) throws(ModelFileError) -> Int {
        let given =
            conventions.readsFeedForward
            ? try fields.optionalSize("intermediate_size", upTo: Limit.width) : nil
        guard let ratio = conventions.usualFeedForwardRatio, given == nil else {
            return try fields.size("intermediate_size", upTo: Limit.width)
        }
        return ratio * (try fields.size("hidden_size", upTo: Limit.width / ratio))
    }

    /// `num_key_value_heads`.
    ///
    /// If the field is absent at the top level, it is the default of the family. It is nil if there
    /// is no default or the family does not have the field.
    private func keyValueHeads(_ fields: ConfigFields) throws(ModelFileError) -> Int? {
        guard case .field(let usual) = conventions.keyValueHeads else { return nil }
        let isAbsent = fields.prefix.isEmpty && fields.members["num_key_value_heads"] == nil
        return try fields.optionalSize("num_key_value_heads", upTo: Limit.heads)
            ?? (isAbsent ? usual : nil)
    }

    /// Checks that the number of key-value heads divides the number of query heads.
    private func check(_ sizes: LayerShape, _ fields: ConfigFields) throws(ModelFileError) {
        guard sizes.queryHeads % sizes.keyValueHeads == 0 else {
            throw fields.fault(
                "num_key_value_heads",
                "\(sizes.keyValueHeads) does not divide num_attention_heads \(sizes.queryHeads)")
        }
    }
}

extension HuggingFaceConfig {
    /// The text of this configuration, changed for a model whose layers have other sizes.
    ///
    /// `num_hidden_layers`, `hidden_size` and the members about individual layers are replaced. The
    /// sizes at the top level are replaced if the default changes. Other names of a replaced field
    /// are removed, because `transformers` would read them instead. If the number of layers
    /// changes, `layer_types` is removed. All other members are kept.
    ///
    /// - Parameters:
    ///   - layers: The sizes of each layer.
    ///   - hiddenSize: The new width of the residual stream; nil keeps it.
    ///   - extra: Members to add or replace, such as `auto_map`. A value of null removes the
    ///     member.
    /// - Returns: Indented JSON with sorted keys. Equal values give the same bytes.
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
        // It describes the original layers. `transformers` recreates it if it is absent.
        if layers.count != self.layers.count { members["layer_types"] = nil }
        members.merge(family.config.layerRotations.members(of: layers)) { $1 }
        members.merge(family.config.window.members(of: layers)) { $1 }
        if !top.hasSizes(of: defaultLayer) {
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

    /// Whether a model with layers of these sizes needs its own code in `transformers`.
    ///
    /// The classes of `transformers` give all layers the sizes at the top level.
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

    /// The default sizes of a layer that the classes of `transformers` can read for a hidden size.
    ///
    /// Classes that do not read `head_dim` divide the hidden size by the number of heads. Some,
    /// such as Llama's, refuse a remainder.
    private func usualLayer(_ hiddenSize: Int) -> LayerShape {
        var layer = defaultLayer
        if !family.config.readsHeadDimension, hiddenSize != self.hiddenSize {
            layer.queryHeads = hiddenSize / headDimension
            layer.keyValueHeads =
                family.config.groupsQueries
                ? Self.commonDivisor(layer.queryHeads, layer.keyValueHeads) : layer.queryHeads
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
