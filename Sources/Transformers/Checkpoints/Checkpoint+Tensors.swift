internal import ModelFiles
internal import Tensors

/// The tensors that a model reads from its file, with the shapes that they must have.
///
/// A file is checked when it is opened. Only its header is read for that. A tensor that is missing,
/// has another shape or has an unsupported type is an error. A tensor that no part of the model
/// reads is also an error if it could change results: the configuration then does not describe the
/// model.
struct ExpectedTensors {
    /// The shapes of the tensors that the file must have.
    private(set) var required: [String: [Int]] = [:]
    /// The shapes of the tensors that the file may have.
    private(set) var optional: [String: [Int]] = [:]

    private let names: TensorNames
    private let shape: ModelShape
    private let formats: Formats?

    /// Lists the tensors of a model.
    ///
    /// - Parameters:
    ///   - names: The names of the tensors.
    ///   - shape: The model's sizes.
    ///   - config: The configuration, for the row counts of the position and token type embeddings.
    ///   - biases: The biases that projections of the model may have.
    ///   - formats: The formats of the matrices; nil if they have none of their own.
    init(
        _ names: TensorNames, _ shape: ModelShape, _ config: HuggingFaceConfig,
        biases: OptionalWeights, formats: Formats?
    ) {
        self.names = names
        self.shape = shape
        self.formats = formats
        let hidden = shape.hiddenSize
        table(names.tokens, shape.vocabularySize)
        if let name = names.positions {
            table(name, config.reservedPositions + shape.maximumPositions)
        }
        if let name = names.types { table(name, config.typeVocabularySize) }
        if let name = names.embeddingNorm { norm(name, hidden) }
        if let name = names.biases, let biases = shape.biases, let rows = biases.tableRows {
            required[name + ".weight"] = [rows, biases.heads]
        }
        if let name = names.finalNorm { norm(name, hidden) }
        if let name = names.head, shape.architecture.isCausal {
            let sizes = [shape.vocabularySize, hidden]
            if shape.tiedHead {
                optional[name + ".weight"] = sizes
            } else {
                required[name + ".weight"] = sizes
            }
        }
        for index in shape.layers.indices { layer(index, biases) }
    }

    private mutating func layer(_ index: Int, _ biases: OptionalWeights) {
        let (prefix, sizes, hidden) = (
            names.layerPrefix(index), shape.layers[index], shape.hiddenSize
        )
        let queries = sizes.queryHeads * shape.headDimension
        let keys = sizes.keyValueHeads * shape.headDimension
        let place = shape.architecture.layer.normPlace
        for (isThere, first, output) in [
            (queries > 0, names.attentionNorm, names.attentionOutputNorm),
            (sizes.feedForward > 0, names.feedForwardNorm, names.feedForwardOutputNorm),
        ] {
            if let first, place.hasNorm(ofBranch: isThere) { norm(prefix + first, hidden) }
            if let output, place.hasOutputNorm(ofBranch: isThere) { norm(prefix + output, hidden) }
        }
        if queries > 0 {
            let hasBias = biases.contains(.attentionInputBiases)
            let format = formats?.layers[index].attention
            if names.query == names.key {
                projection(prefix + names.query, queries + 2 * keys, hidden, hasBias, format)
            } else {
                projection(prefix + names.query, queries, hidden, hasBias, format)
                projection(prefix + names.key, keys, hidden, hasBias, format)
                projection(prefix + names.value, keys, hidden, hasBias, format)
            }
            projection(
                prefix + names.output, hidden, queries, biases.contains(.attentionOutputBias),
                format)
            let headNorms = shape.hasHeadNorms ? [names.queryNorm, names.keyNorm] : []
            for name in headNorms.compactMap(\.self) {
                required[prefix + name + ".weight"] = [shape.headDimension]
            }
        }
        if sizes.feedForward > 0 {
            let hasBias = biases.contains(.feedForwardInputBiases)
            let format = formats?.layers[index].feedForward
            if names.gate == names.up {
                projection(prefix + names.up, 2 * sizes.feedForward, hidden, hasBias, format)
            } else {
                for name in [names.gate, names.up].compactMap(\.self) {
                    projection(prefix + name, sizes.feedForward, hidden, hasBias, format)
                }
            }
            projection(
                prefix + names.down, hidden, sizes.feedForward,
                biases.contains(.feedForwardOutputBias), format)
        }
    }

    private mutating func table(_ name: String, _ rows: Int) {
        required[name + ".weight"] = [rows, shape.hiddenSize]
    }

    private mutating func projection(
        _ name: String, _ outputs: Int, _ inputs: Int, _ hasBias: Bool, _ format: Precision?
    ) {
        required[name + ".weight"] =
            names.storesInputsFirst(in: format) ? [inputs, outputs] : [outputs, inputs]
        if hasBias { optional[name + ".bias"] = [outputs] }
    }

    private mutating func norm(_ name: String, _ width: Int) {
        required[name + ".weight"] = [width]
        if shape.architecture.layer.norm.hasBias { required[name + ".bias"] = [width] }
    }
}

extension ExpectedTensors {
    /// The part of the model to which a tensor belongs that is not read.
    private enum Place {
        /// None. Ignoring the tensor does not change results.
        case harmless
        /// A layer beyond the number of layers in the configuration.
        case extraLayer
        /// The task head of an encoder.
        case head
        /// The model itself, which therefore computes something that is not supported.
        case model
    }

    /// Whether a tensor belongs to the task head of an encoder.
    ///
    /// Such tensors are copied to the pruned model.
    func isHead(_ name: String) -> Bool { !isRead(name) && place(of: name) == .head }

    /// Checks that the tensors of a file are those of the model.
    ///
    /// - Parameters:
    ///   - file: The file.
    ///   - config: The configuration, for error messages.
    /// - Returns: The number of tensors that belong to layers beyond those of the configuration.
    /// - Throws: `ModelFileError` for the first tensor that is wrong.
    func check(
        _ file: any TensorFile, _ config: HuggingFaceConfig
    ) throws(ModelFileError) -> Int {
        let all = file.names
        if let foreign = all.lazy.compactMap({ name in
            Self.kind(of: name).map { (name, $0.kind, $0.remedy) }
        }).first {
            throw fault(file, foreign.0, "it belongs to \(foreign.1)", foreign.2)
        }
        for (name, sizes) in required.sorted(by: { $0.key < $1.key }) {
            guard file.has(name) else { throw file.missing(name) }
            try check(name, sizes, in: file)
        }
        for (name, sizes) in optional where file.has(name) { try check(name, sizes, in: file) }
        let others = all.filter { !isRead($0) }
        let unexpected = others.filter { place(of: $0) == .model }
        if let name = unexpected.first {
            if let head = config.unreadHead { throw config.unknownHead(head, name, known: nil) }
            let more = unexpected.count > 1 ? " (and \(unexpected.count - 1) more)" : ""
            let isBias = name.hasSuffix(".bias")
            let switches = config.family.config.weightSwitches.map(\.field)
            throw fault(
                file, name,
                "a model of type \"\(config.family.name)\" does not use it\(more)"
                    + (isBias ? ", because the configuration excludes this bias" : ""),
                isBias && !switches.isEmpty
                    ? "set \(switches.joined(separator: " or ")) in config.json to true if the "
                        + "model was trained with it, or remove the tensor"
                    : "use the configuration that belongs to these weights")
        }
        return others.count { place(of: $0) == .extraLayer }
    }

    private func isRead(_ name: String) -> Bool {
        required[name] != nil || optional[name] != nil
    }

    private func check(
        _ name: String, _ sizes: [Int], in file: any TensorFile
    ) throws(ModelFileError) {
        if let tensor = file.tensor(named: name), !tensor.holdsFloats {
            let type = tensor.type
            throw fault(
                file, name, "its type \(type.name) is not supported",
                "convert the model to F32, F16, BF16, Q8_0, Q4_0 to Q5_1 or Q2_K to Q6_K")
        }
        guard let found = file.shape(of: name), found != sizes else { return }
        throw fault(
            file, name, "its shape is \(found), but the configuration requires \(sizes)",
            "use the configuration that belongs to these weights")
    }

    private func fault(
        _ file: any TensorFile, _ name: String, _ problem: String, _ remedy: String
    ) -> ModelFileError {
        ModelFileError(
            file: file.path, tensor: name, problem: problem, remedy: remedy)
    }

    /// Buffers in files of older versions, whose values follow from the configuration.
    private static let harmlessSuffixes = [
        "position_ids", "embeddings.token_type_ids", "rotary_emb.inv_freq", ".attn.bias",
        ".attn.masked_bias", "attn_rot_embd.weight", GGUFFile.rotaryDivisors,
    ]

    private func place(of name: String) -> Place {
        if Self.harmlessSuffixes.contains(where: name.hasSuffix) { return .harmless }
        let stem = String(names.layerPrefix(0).dropLast(2))
        if name.hasPrefix(stem) {
            let index = name.dropFirst(stem.count).prefix { $0 != "." }
            guard let index = Int(index), index >= shape.layers.count, names.gate != "ffn_gate"
            else { return .model }
            return .extraLayer
        }
        guard shape.architecture.isEncoder else { return .model }
        let embeddings = names.tokens.split(separator: ".").dropLast().joined(separator: ".")
        return name.hasPrefix(embeddings + ".") ? .model : .head
    }

    /// Returns the kind of unsupported weights to which a tensor of this name belongs, and the
    /// remedy; nil for other names.
    private static func kind(of name: String) -> (kind: String, remedy: String)? {
        if let kind = QuantizedWeights.kind(of: name) {
            return ("weights that are quantised: \(kind)", QuantizedWeights.remedy)
        }
        if name.contains(".lora_A.") || name.hasSuffix(".lora_a") {
            return (
                "an adapter (LoRA)",
                "merge it into its base model with peft's merge_and_unload(), and use that"
            )
        }
        let experts = ["block_sparse_moe.", ".experts.", "_exps.", "ffn_gate_inp."]
        guard experts.contains(where: name.contains) else { return nil }
        return ("a mixture of experts, which is not supported", "use a dense model")
    }
}
