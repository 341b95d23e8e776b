public import ModelFiles
internal import Tensors

/// A trained model on disk, in a Hugging Face directory or a GGUF file.
///
/// Weights are read one layer at a time.
public struct Checkpoint: WeightSource {
    /// The directory or file that was opened.
    public let path: String
    /// The directory of the configuration and the weights, or the GGUF file.
    ///
    /// The directory may be a folder inside ``path``.
    public let directory: String
    /// The sizes of the model.
    public let shape: ModelShape
    /// The configuration, read from `config.json` or made from GGUF metadata.
    public let config: HuggingFaceConfig
    /// The pooling that the directory of an encoder states; the mean for decoders.
    public let pooling: Pooling

    /// The format of each matrix, if the model was stored in other formats than floats of one type;
    /// otherwise nil.
    public let formats: Formats?

    /// Messages about ignored parts of the files that could change results, one sentence each.
    public let remarks: [String]

    let file: any TensorFile
    private let names: TensorNames
    private let expected: ExpectedTensors
    /// Whether the two channels of a rotary pair are adjacent rows of query and key weights, as in
    /// GGUF.
    private let interleavesRotaryPairs: Bool

    /// Opens a model and checks its configuration and its list of tensors.
    ///
    /// Weights are read only when a method needs them.
    ///
    /// - Parameter path: A Hugging Face directory or a `.gguf` file.
    /// - Throws: ``ModelFileError`` if the model is damaged or of an unsupported kind.
    public init(_ path: String) throws(ModelFileError) {
        self.path = path
        directory = transformerDirectory(path)
        let stored = try openTensorFile(directory)
        var biases: OptionalWeights
        if let gguf = stored as? GGUFFile {
            file = gguf
            config = try HuggingFaceConfig(gguf)
            names = .gguf
            interleavesRotaryPairs = true
            // llama.cpp reads every bias in the file.
            biases = [.attentionBiases, .feedForwardBiases]
            formats = nil
        } else {
            config = try HuggingFaceConfig(path: directory + "/config.json")
            formats = try Formats(
                ConfigFields(file: config.path, members: config.members),
                layers: config.layers.count)
            let base: any TensorFile = formats == nil ? stored : IntegerTensors(stored)
            file = config.family.architecture.isEncoder ? RenamedTensors(base) ?? base : base
            names = config.family.tensors.names(in: file)
            interleavesRotaryPairs = false
            biases = config.allowedBiases
        }
        try config.checkActivation()
        var shape = ModelShape(
            config, isTied: try Self.isTied(config, file, names))
        if interleavesRotaryPairs { shape.optionalWeights = Self.optionalWeights(of: file) }
        self.shape = shape
        pooling = try shape.architecture.isEncoder ? Pooling(inDirectory: directory) : .mean
        expected = ExpectedTensors(names, shape, config, biases: biases, formats: formats)
        let extra = try expected.check(file, config)
        var remarks: [String] = []
        if let gguf = stored as? GGUFFile {
            let architecture = try gguf.string("general.architecture")
            remarks = GGUFKeys(gguf: gguf, architecture: architecture).unknown
        } else {
            remarks = config.unknownFields
        }
        remarks = unknownFieldsRemark(remarks, config.path)
        if extra > 0 {
            remarks.append(
                "\(file.path): \(extra) tensors belong to layers beyond the "
                    + "\(shape.layers.count) of the configuration, and are ignored.")
        }
        self.remarks = remarks
    }

    /// Whether the output head is the token embedding.
    ///
    /// A head in the file that differs from the token embedding takes precedence over the
    /// configuration, as in transformers 5.
    private static func isTied(
        _ config: HuggingFaceConfig, _ file: any TensorFile, _ names: TensorNames
    ) throws(ModelFileError) -> Bool {
        guard let name = names.head, config.family.architecture.isCausal else { return false }
        let head = name + ".weight"
        guard file.has(head) else {
            guard config.tiesWordEmbeddings else {
                let classes = config.members["architectures"]?.array ?? []
                let name = classes.first?.string.map { "a \($0)" } ?? "the model"
                throw ModelFileError(
                    file: file.path, tensor: head,
                    problem: "it is missing, and tie_word_embeddings is false: \(name) has no "
                        + "output head for tokens",
                    remedy: "use the model with its head, or set tie_word_embeddings to true in "
                        + "config.json if the head is the token embedding")
            }
            return true
        }
        guard config.tiesWordEmbeddings else { return false }
        return try file.areStoredAlike(head, names.tokens + ".weight")
    }

    /// The optional weights that a GGUF file has; nil if it has none.
    ///
    /// An attention output bias without attention input biases comes from pruning and is not
    /// counted.
    private static func optionalWeights(of file: any TensorFile) -> OptionalWeights? {
        func has(_ name: String) -> Bool { file.has("blk.0.\(name).bias") }
        guard has("attn_q") || has("ffn_up") else { return nil }
        var weights: OptionalWeights = has("attn_q") ? .attentionInputBiases : []
        if has("attn_q"), has("attn_output") { weights.insert(.attentionOutputBias) }
        if has("ffn_up") { weights.formUnion(.feedForwardBiases) }
        return weights
    }

    /// The names of this model's tensors in a Hugging Face directory.
    public var huggingFaceNames: TensorNames {
        interleavesRotaryPairs ? config.family.tensors.names : names
    }

    /// The GGUF file; nil if the model is a Hugging Face directory.
    public var gguf: GGUFFile? { file as? GGUFFile }

    /// Reads the embeddings.
    public func embeddings() throws(ModelFileError) -> EmbeddingWeights {
        func table(_ name: String, _ rows: Int) throws(ModelFileError) -> Matrix<Float> {
            try file.matrix(name + ".weight", rows: rows, columns: shape.hiddenSize)
        }
        var embeddings = EmbeddingWeights(tokens: try table(names.tokens, shape.vocabularySize))
        if let name = names.positions {
            embeddings.positions = try table(
                name, config.reservedPositions + shape.maximumPositions)
        }
        if let name = names.types {
            embeddings.types = try table(name, config.typeVocabularySize)
        }
        if let name = names.embeddingNorm { embeddings.norm = try norm(name) }
        if let name = names.biases, let biases = shape.biases, let rows = biases.tableRows {
            embeddings.biases = try file.matrix(
                name + ".weight", rows: rows, columns: biases.heads)
        }
        return embeddings
    }

    /// Reads the weights of a layer.
    ///
    /// Layers are counted from the input, starting at 0.
    public func layer(_ index: Int) throws(ModelFileError) -> LayerWeights {
        let (prefix, sizes, hidden) = (
            names.layerPrefix(index), shape.layers[index], shape.hiddenSize
        )
        let (attention, feedForward) = (
            formats?.layers[index].attention, formats?.layers[index].feedForward
        )
        let queries = sizes.queryHeads * shape.headDimension
        let keys = sizes.keyValueHeads * shape.headDimension
        var layer = LayerWeights(
            attention: nil, attentionNorm: nil, feedForward: nil, feedForwardNorm: nil)
        if sizes.queryHeads > 0 {
            var fused =
                names.query == names.key
                ? try projection(prefix + names.query, queries + 2 * keys, hidden, attention) : nil
            if names.interleavesHeads {
                fused = fused?.selecting(
                    rows: names.interleavedRows(
                        queries + 2 * keys, headDimension: shape.headDimension))
            }
            func part(_ name: String, _ rows: Range<Int>) throws(ModelFileError) -> Projection {
                if let fused { return fused.selecting(rows: Array(rows)) }
                return try projection(prefix + name, rows.count, hidden, attention)
            }
            layer.attention = AttentionWeights(
                query: try rotary(part(names.query, 0..<queries)),
                key: try rotary(part(names.key, queries..<queries + keys)),
                value: try part(names.value, queries + keys..<queries + 2 * keys),
                output: try projection(prefix + names.output, hidden, queries, attention),
                queryNorm: try headNorm(names.queryNorm.map { prefix + $0 }),
                keyNorm: try headNorm(names.keyNorm.map { prefix + $0 }))
        }
        if sizes.feedForward > 0 {
            let width = sizes.feedForward
            let down = try projection(prefix + names.down, hidden, width, feedForward)
            if names.gate == names.up {
                let joined = try projection(prefix + names.up, 2 * width, hidden, feedForward)
                layer.feedForward = FeedForwardWeights(joined: joined, isGated: true, down: down)
            } else {
                layer.feedForward = FeedForwardWeights(
                    gate: try names.gate.map { name throws(ModelFileError) in
                        try projection(prefix + name, width, hidden, feedForward)
                    }, up: try projection(prefix + names.up, width, hidden, feedForward),
                    down: down)
            }
        }
        let place = shape.architecture.layer.normPlace
        func norm(_ name: String?, if isThere: Bool) throws(ModelFileError) -> NormWeights? {
            guard isThere, let name else { return nil }
            return try self.norm(prefix + name)
        }
        let (attends, feeds) = (sizes.queryHeads > 0, sizes.feedForward > 0)
        layer.attentionNorm = try norm(names.attentionNorm, if: place.hasNorm(ofBranch: attends))
        layer.attentionOutputNorm = try norm(
            names.attentionOutputNorm, if: place.hasOutputNorm(ofBranch: attends))
        layer.feedForwardNorm = try norm(names.feedForwardNorm, if: place.hasNorm(ofBranch: feeds))
        layer.feedForwardOutputNorm = try norm(
            names.feedForwardOutputNorm, if: place.hasOutputNorm(ofBranch: feeds))
        return layer
    }

    /// Reads the final norm and the output head.
    public func head() throws(ModelFileError) -> HeadWeights {
        var head = HeadWeights(norm: nil, output: nil)
        if let name = names.finalNorm { head.norm = try norm(name) }
        if let name = names.head, !shape.tiedHead {
            head.output = try file.matrix(
                name + ".weight", rows: shape.vocabularySize, columns: shape.hiddenSize)
        }
        return head
    }

    /// Reads the tensors of an encoder that its forward pass does not use, such as a pooler.
    ///
    /// They are copied to the pruned model.
    public func otherTensors() throws(ModelFileError) -> [NamedTensor] {
        var others: [NamedTensor] = []
        for name in otherTensorNames {
            guard let shape = file.shape(of: name) else { continue }
            others.append(
                NamedTensor(name: name, shape: shape, elements: try file.floats(name)))
        }
        return others
    }

    /// The names of the tensors that ``otherTensors()`` reads.
    var otherTensorNames: [String] {
        file.names.filter(expected.isHead)
    }

    /// Reads every floating-point tensor once, to refuse NaN and infinities.
    public func checkNumbers() throws(ModelFileError) {
        for name in file.names where file.tensor(named: name)?.holdsFloats == true {
            _ = try file.floats(name)
        }
    }

    func projection(
        _ name: String, _ outputs: Int, _ inputs: Int, _ format: Precision? = nil
    ) throws(ModelFileError) -> Projection {
        let bias =
            file.has(name + ".bias") ? try file.floats(name + ".bias", shape: [outputs]) : nil
        if format == .int4, file.type(of: name + ".weight") == .q40 {
            // This also checks the numbers and the shape.
            _ = try file.matrix(name + ".weight", rows: outputs, columns: inputs)
            let blocks = Int4Matrix(
                rows: outputs, columns: inputs, blocks: try file.storedBytes(name + ".weight"))
            return Projection(codes: CodedMatrix(blocks), bias: bias)
        }
        let weight =
            try names.storesInputsFirst(in: format)
            ? file.matrix(name + ".weight", rows: inputs, columns: outputs).transposed
            : file.matrix(name + ".weight", rows: outputs, columns: inputs)
        return Projection(weight: weight, bias: bias)
    }

    private func norm(_ name: String) throws(ModelFileError) -> NormWeights {
        let (width, kind) = ([shape.hiddenSize], shape.architecture.layer.norm)
        return NormWeights(
            weight: try file.floats(name + ".weight", shape: width),
            bias: kind.hasBias ? try file.floats(name + ".bias", shape: width) : nil, kind: kind)
    }

    private func headNorm(_ name: String?) throws(ModelFileError) -> NormWeights? {
        guard let name, shape.hasHeadNorms else { return nil }
        return NormWeights(
            weight: try file.floats(name + ".weight", shape: [shape.headDimension]),
            kind: shape.architecture.layer.norm.ofHeads)
    }

    /// Reorders the rows of each head from adjacent rotary pairs to the half-split order of Hugging
    /// Face.
    private func rotary(_ projection: Projection) -> Projection {
        guard interleavesRotaryPairs else { return projection }
        let (dimension, half) = (shape.headDimension, shape.rotatedChannels / 2)
        let order = (0..<projection.weight.rows).map { row in
            let place = row % dimension
            return place < 2 * half ? row - place + place % half * 2 + place / half : row
        }
        return projection.selecting(rows: order)
    }
}

extension TensorFile {
    /// Whether the file has a tensor with this name.
    func has(_ name: String) -> Bool { shape(of: name) != nil }
}
