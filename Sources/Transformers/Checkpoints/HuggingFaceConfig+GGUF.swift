public import ModelFiles

extension HuggingFaceConfig {
    /// The values of `general.architecture` that are supported.
    public static let ggufArchitectures = Family.all.compactMap(\.gguf).flatMap(\.all)
        .reduce(into: [String]()) { names, name in
            if !names.contains(name) { names.append(name) }
        }

    /// Creates the configuration that describes a GGUF file.
    init(_ gguf: GGUFFile) throws(ModelFileError) {
        let architecture = try gguf.string("general.architecture")
        guard Self.ggufArchitectures.contains(architecture) else {
            let known = Self.ggufArchitectures.joined(separator: " or ")
            let families = Family.all.map(\.name).joined(separator: ", ")
            throw ModelFileError(
                file: gguf.path, subject: "general.architecture",
                problem: "\(JSONValue.string(architecture).excerpt) is not supported; a GGUF file "
                    + "must have the architecture \(known)",
                remedy: "use such a file (SmolLM2, TinyLlama, Llama, Mistral), or the Hugging "
                    + "Face directory of a model of type \(families)")
        }
        try GGUFKeys(gguf: gguf, architecture: architecture).refuseUnsupported()
        func key(_ name: String) -> String { "\(architecture).\(name)" }
        func integer(_ key: String, default value: Int? = nil) throws(ModelFileError) -> JSONValue {
            if let value, gguf.metadata[key] == nil { return .integer(value) }
            return .integer(try gguf.integer(key))
        }
        let layers = try Self.layers(gguf, architecture)
        let widest = LayerShape(
            queryHeads: layers.map(\.queryHeads).max() ?? 0,
            keyValueHeads: layers.max { $0.queryHeads < $1.queryHeads }?.keyValueHeads ?? 0,
            feedForward: layers.map(\.feedForward).max() ?? 0)
        let vocabulary = gguf.shape(of: "token_embd.weight")?.first
        let names = TensorNames.gguf
        func isBiased(_ projections: String?...) -> Bool {
            layers.indices.contains { index in
                projections.compactMap(\.self).contains {
                    gguf.shape(of: names.layerPrefix(index) + $0 + ".bias") != nil
                }
            }
        }
        var biases: OptionalWeights = []
        if isBiased(names.query, names.key, names.value) { biases.insert(.attentionInputBiases) }
        if isBiased(names.output) { biases.insert(.attentionOutputBias) }
        if isBiased(names.gate, names.up, names.down) { biases.formUnion(.feedForwardBiases) }
        let family = Family(ggufArchitecture: architecture, biases: biases)
        var members: [JSONKey: JSONValue] = [
            "model_type": .string(family.name),
            "architectures": .array([.string(family.className(of: .nextToken))]),
            "hidden_act": .string(family.architecture.layer.activation.names[0]),
            "hidden_size": try integer(key("embedding_length")),
            "num_hidden_layers": .integer(layers.count),
            "num_attention_heads": .integer(widest.queryHeads),
            "num_key_value_heads": .integer(widest.keyValueHeads),
            "intermediate_size": .integer(widest.feedForward),
            "vocab_size": try integer(key("vocab_size"), default: vocabulary),
            "max_position_embeddings": try Self.positions(gguf, key("")),
            "rms_norm_eps": .number(
                try gguf.number(key("attention.layer_norm_rms_epsilon"))),
            "tie_word_embeddings": .bool(gguf.shape(of: "output.weight") == nil),
        ]
        for option in family.config.weightSwitches {
            members[JSONKey(option.field)] = .bool(!biases.isDisjoint(with: option.weights))
        }
        let theta =
            gguf.metadata[key("rope.freq_base")] == nil
            ? 10_000 : try gguf.number(key("rope.freq_base"))
        members["rope_theta"] = .number(theta)
        if let scaling = try Self.ropeScaling(gguf, theta, architecture: key("")) {
            members["rope_scaling"] = .object(scaling.members)
        }
        for (key, name) in [
            ("tokenizer.ggml.bos_token_id", "bos_token_id"),
            ("tokenizer.ggml.padding_token_id", "pad_token_id"),
        ] where gguf.metadata[key] != nil {
            members[JSONKey(name)] = try integer(key)
        }
        var ends: [JSONValue] = []
        for end in ["eos", "eot", "eom"] {
            let key = "tokenizer.ggml.\(end)_token_id"
            guard gguf.metadata[key] != nil else { continue }
            let id = try integer(key)
            if !ends.contains(id) { ends.append(id) }
        }
        members["eos_token_id"] = ends.count > 1 ? .array(ends) : ends.first ?? .null
        if gguf.metadata[key("rope.dimension_count")] != nil {
            members["head_dim"] = try integer(key("rope.dimension_count"))
        }
        let base = try HuggingFaceConfig(members: members, path: gguf.path)
        try self.init(parsing: base.encoded(layers: layers), path: gguf.path)
    }

    /// The maximum sequence length: the model's, or its attention window if that is shorter.
    private static func positions(
        _ gguf: GGUFFile, _ prefix: String
    ) throws(ModelFileError) -> JSONValue {
        let length = try gguf.integer(prefix + "context_length")
        let window = prefix + "attention.sliding_window"
        let limit = gguf.metadata[window] == nil ? 0 : try gguf.integer(window)
        return .integer(limit > 0 ? min(length, limit) : length)
    }

    /// The scaling of rotary frequencies; nil if there is none.
    ///
    /// Only the scaling of Llama 3.1 and later is supported, which files store as divisors.
    /// `architecture` is the prefix of the keys.
    private static func ropeScaling(
        _ gguf: GGUFFile, _ theta: Double, architecture: String
    ) throws(ModelFileError) -> RopeScaling? {
        var (scaled, scaling): (String?, RopeScaling?)
        let name = GGUFFile.rotaryDivisors
        if gguf.shape(of: name) != nil {
            let divisors = try gguf.floats(name)
            if divisors.contains(where: { $0 != 1 }) {
                let positions = architecture + GGUFFile.scaledPositions
                let size = architecture + "rope.dimension_count"
                let fits =
                    gguf.metadata[size] == nil ? true : try gguf.integer(size) == 2 * divisors.count
                scaling = RopeScaling(
                    divisors: divisors, theta: theta,
                    originalPositions: gguf.metadata[positions] == nil
                        ? nil : try gguf.integer(positions))
                scaled = scaling == nil || !fits ? name : nil
            }
        }
        for name in ["rope.scaling.factor", "rope.scale_linear"] {
            let key = architecture + name
            guard gguf.metadata[key] != nil, try gguf.number(key) != 1 else { continue }
            scaled = key
        }
        let type = architecture + "rope.scaling.type"
        if gguf.metadata[type] != nil, try gguf.string(type) == "none" { return nil }
        if let scaled {
            throw ModelFileError(
                file: gguf.path, subject: scaled,
                problem: "this scaling of rotary positions is not supported",
                remedy: "use a model without rope scaling, or scaled as Llama 3.1")
        }
        return scaling
    }

    /// The sizes of each layer.
    ///
    /// A key has one number for all layers, or an array with one number for each layer.
    private static func layers(
        _ gguf: GGUFFile, _ architecture: String
    ) throws(ModelFileError) -> [LayerShape] {
        let count = try gguf.integer("\(architecture).block_count")
        func sizes(_ name: String) throws(ModelFileError) -> [Int] {
            let key = "\(architecture).\(name)"
            guard case .integers(let values) = gguf.metadata[key] else {
                guard (1...Limit.layers).contains(count) else {
                    throw fault(
                        gguf, "\(architecture).block_count", "\(count) layers are not supported")
                }
                return [Int](repeating: try gguf.integer(key), count: count)
            }
            guard values.count == count, values.allSatisfy({ (0...Limit.width).contains($0) })
            else { throw fault(gguf, key, "it does not have \(count) valid sizes") }
            return values
        }
        let heads = try sizes("attention.head_count")
        let keys = "attention.head_count_kv"
        let groups =
            gguf.metadata["\(architecture).\(keys)"] == nil ? heads : try sizes(keys)
        let widths = try sizes("feed_forward_length")
        var layers: [LayerShape] = []
        for index in heads.indices {
            let (queries, groups) = (heads[index], groups[index])
            guard queries == 0 && groups == 0 || groups > 0 && queries % groups == 0 else {
                throw fault(
                    gguf, "\(architecture).\(keys)",
                    "layer \(index) has \(groups) key-value heads for \(queries) heads")
            }
            layers.append(
                LayerShape(queryHeads: queries, keyValueHeads: groups, feedForward: widths[index]))
        }
        return layers
    }

    private static func fault(
        _ gguf: GGUFFile, _ key: String, _ problem: String
    ) -> ModelFileError {
        ModelFileError(
            file: gguf.path, subject: key, problem: problem,
            remedy: "convert the model to GGUF again")
    }
}

extension Family {
    /// Finds the family of a GGUF file: a family whose models always have the file's biases, or
    /// else a family whose models may have them.
    fileprivate init(ggufArchitecture name: String, biases: OptionalWeights) {
        let known = Self.all.filter { $0.gguf?.all.contains(name) == true }
        let always = known.first { $0.config.fixedWeights == biases }
        self = always ?? known.first { !$0.config.weightSwitches.isEmpty } ?? known[0]
    }
}

extension GGUFFile {
    /// The name of the tensor with the divisors of the rotary frequencies.
    public static let rotaryDivisors = "rope_freqs.weight"

    /// The key, after the architecture's prefix, of the number of positions before scaling.
    public static let scaledPositions = "rope.scaling.original_context_length"
}
