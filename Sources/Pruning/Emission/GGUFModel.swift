internal import ModelFiles
public import Tensors
public import Transformers

/// Writes a decoder as a GGUF file.
///
/// The architecture is `llama` if all layers have the same sizes. Otherwise it is `deci`, whose
/// loader reads sizes for each layer. That loader requires attention in the first layer, and
/// discards the output of a layer without a feed-forward block. Such missing blocks are replaced by
/// blocks of zeros. Layers without any branch are left out.
public enum GGUFModel {
    /// The format in which weights are stored.
    public enum Storage: String, Sendable, CaseIterable {
        /// IEEE single precision.
        case f32
        /// IEEE half precision.
        case f16
        /// bfloat16, the upper 16 bits of IEEE single precision.
        case bf16
        /// 8 bits for a weight, and a scale for each block of 32 weights.
        case q80 = "q8_0"
        /// 4 bits for a weight, and a scale for each block of 32 weights; embeddings and head have
        /// 8 bits.
        case q40 = "q4_0"

        /// The stored type of a tensor.
        ///
        /// Vectors are `f32`. Matrices whose rows are not a multiple of the block size are `f16`.
        func type(of shape: [Int], isTable: Bool) -> DType {
            guard shape.count > 1 else { return .f32 }
            let type = isTable && self == .q40 ? .q80 : matrixType
            return (shape.last ?? 0) % type.blockSize == 0 ? type : .f16
        }

        /// The storage that corresponds to a precision of computation.
        public init(_ precision: Precision) {
            switch precision {
            case .f32, .bf16x2: self = .f32
            case .f16: self = .f16
            case .bf16: self = .bf16
            case .int8: self = .q80
            case .int4: self = .q40
            }
        }

        /// The stored type of a matrix.
        public var matrixType: DType {
            switch self {
            case .f32: .f32
            case .f16: .f16
            case .bf16: .bf16
            case .q80: .q80
            case .q40: .q40
            }
        }

        /// llama.cpp's number for the type of the whole file.
        var fileType: Int {
            switch self {
            case .f32: 0
            case .f16: 1
            case .q40: 2
            case .q80: 7
            case .bf16: 32
            }
        }
    }

    /// Writes a model.
    ///
    /// - Parameters:
    ///   - weights: The weights, read twice, one layer at a time.
    ///   - checkpoint: The model that they were made from, with its metadata and tokenizer.
    ///   - path: The file; an existing file is replaced.
    ///   - storage: The format in which weights are stored.
    ///   - formats: The format of each matrix of linear layers, for which `weights` is rounded; nil
    ///     if all have the storage's. Integers are stored unchanged.
    ///   - rounding: Rounds the layers of these weights to the values of the format; if it is nil,
    ///     every weight is rounded to nearest.
    ///   - progress: Called before each tensor is written, with the number of finished layers; may
    ///     throw to stop.
    /// - Throws: `ModelFileError` for a family that llama.cpp does not load, errors of reading or
    ///   rounding the weights, and errors of writing. No file is left behind then.
    public static func write(
        _ weights: some WeightSource, like checkpoint: Checkpoint, to path: String,
        storage: Storage = .f32, formats: Formats? = nil, rounding: LayerRounding? = nil,
        progress: (_ layers: Int) throws -> Void = { _ in }
    ) throws {
        try check(checkpoint)
        let form = GGUFForm(weights.shape)
        let (names, width) = (TensorNames.gguf, weights.shape.headDimension)
        let tableFormat = formats?.table(of: weights.shape)
        var outer =
            names.tensors(of: try weights.embeddings(), tableFormat: tableFormat)
            + names.tensors(of: try weights.head(), format: formats?.head)
        if weights.shape.ropeScaling != nil {
            let divisors = weights.shape.rotaryDivisors.map(Float.init)
            outer.append(
                NamedTensor(
                    name: GGUFFile.rotaryDivisors, shape: [divisors.count], elements: divisors))
        }
        var (entries, places) = ([GGUFWriter.Entry](), [String: Int]())
        func add(_ tensor: NamedTensor, isTable: Bool) {
            entries.append(
                GGUFWriter.Entry(
                    name: tensor.name, shape: tensor.shape,
                    type: tensor.format?.typeInGGUF(of: tensor)
                        ?? storage.type(of: tensor.shape, isTable: isTable)))
        }
        for tensor in outer { add(tensor, isTable: true) }
        for (place, index) in form.kept.enumerated() {
            let layer = form.padded(try weights.outline(index), at: place)
            for tensor in names.tensors(
                of: layer, at: place, headDimension: width, formats: formats?.layers[index])
            {
                add(tensor, isTable: false)
                places[tensor.name] = place
            }
        }
        var loaded: (place: Int, tensors: [NamedTensor])?
        func tensors(of place: Int) throws -> [NamedTensor] {
            if let loaded, loaded.place == place { return loaded.tensors }
            let index = form.kept[place]
            func check() throws { try progress(place) }
            let layer = try rounding?.layer(index, check: check) ?? weights.layer(index)
            let whole = form.interleaved(form.padded(layer, at: place))
            let tensors = names.tensors(
                of: whole, at: place, headDimension: width, formats: formats?.layers[index])
            loaded = (place, tensors)
            return tensors
        }
        try GGUFWriter.write(
            entries,
            metadata: try metadata(form, like: checkpoint, fileType: fileType(entries, storage)),
            to: path
        ) { entry -> GGUFWriter.Elements in
            try progress(loaded?.place ?? 0)
            let tensors = try places[entry.name].map(tensors(of:)) ?? outer
            guard let tensor = tensors.first(where: { $0.name == entry.name }) else {
                return .floats([])
            }
            if let codes = tensor.codes, codes.grid == WeightGrid(storedAs: entry.type) {
                return .stored(codes.blocks(of: entry.type))
            }
            if tensor.format == .int8, entry.type == .q80 {
                return .stored(try tensor.byteBlocks)
            }
            return .floats(tensor.elements)
        }
    }

    /// llama.cpp's number for the type of most parameters of a file.
    private static func fileType(_ entries: [GGUFWriter.Entry], _ storage: Storage) -> Int {
        var counts: [DType: Int] = [:]
        for entry in entries { counts[entry.type, default: 0] += entry.shape.reduce(1, *) }
        return Storage.allCases.max {
            counts[$0.matrixType, default: 0] < counts[$1.matrixType, default: 0]
        }?.fileType ?? storage.fileType
    }

    /// Throws an error if a model cannot be written as GGUF.
    ///
    /// - Throws: `ModelFileError` that states the reason.
    public static func check(_ checkpoint: Checkpoint) throws {
        guard checkpoint.config.family.gguf != nil else {
            let known = Family.all.filter { $0.gguf != nil }.map(\.name).joined(separator: ", ")
            throw ModelFileError(
                file: checkpoint.path, subject: "model_type",
                problem: "\"\(checkpoint.config.family.name)\" cannot be written as GGUF",
                remedy: "use a model of type \(known), or choose another format")
        }
    }

    /// The metadata of the file.
    ///
    /// If the source is a GGUF file, its metadata is copied and changed.
    private static func metadata(
        _ form: GGUFForm, like checkpoint: Checkpoint, fileType: Int
    ) throws -> [String: GGUFValue] {
        let (shape, name) = (form.shape, form.architecture)
        var metadata = checkpoint.gguf?.metadata ?? [:]
        if let old = try checkpoint.gguf?.string("general.architecture") {
            for (key, value) in metadata where key.hasPrefix(old + ".") {
                metadata[key] = nil
                metadata[name + key.dropFirst(old.count)] = value
            }
        } else {
            metadata = try tokenizerMetadata(of: checkpoint)
            metadata["general.name"] = .string(checkpoint.config.family.name)
        }
        let scaling = "\(name).rope.scaling."
        for key in metadata.keys where key.hasPrefix(scaling) { metadata[key] = nil }
        metadata["\(name).\(GGUFFile.scaledPositions)"] = shape.ropeScaling.map {
            .integer($0.originalPositions)
        }
        metadata["general.architecture"] = .string(name)
        metadata["general.alignment"] = nil
        metadata["general.file_type"] = .integer(fileType)
        metadata["general.quantization_version"] = .integer(2)
        let sizes: [String: GGUFValue] = [
            "block_count": .integer(shape.layers.count),
            "context_length": .integer(
                shape.layers.compactMap(\.window).min() ?? shape.maximumPositions),
            "embedding_length": .integer(shape.hiddenSize),
            "vocab_size": .integer(shape.vocabularySize),
            "rope.dimension_count": .integer(shape.rotatedChannels),
            "rope.freq_base": .number(Double(shape.ropeTheta)),
            "attention.key_length": .integer(shape.headDimension),
            "attention.value_length": .integer(shape.headDimension),
            "attention.layer_norm_rms_epsilon": .number(Double(shape.normEpsilon)),
            "attention.head_count": form.sizes(\.queryHeads),
            "attention.head_count_kv": form.sizes(\.keyValueHeads),
            "feed_forward_length": form.sizes(\.feedForward),
        ]
        for (key, value) in sizes { metadata["\(name).\(key)"] = value }
        return metadata
    }
}

extension Precision {
    /// The type in which llama.cpp stores a matrix of this format without changing its values.
    fileprivate func typeInGGUF(of tensor: NamedTensor) -> DType {
        let type = GGUFModel.Storage(self).matrixType
        return tensor.shape[1] % type.blockSize == 0 ? type : .f32
    }
}

extension NamedTensor {
    /// The blocks of the stored type `q80` that have the integers of `int8`.
    fileprivate var byteBlocks: [UInt8] {
        get throws {
            let matrix = Matrix(rows: shape[0], columns: shape[1], elements: elements)
            guard matrix.hasHalfScales else {
                throw NonFiniteError(
                    "a weight of \(name)", problem: "is too large for the scales of q8_0",
                    remedy: "prune with --formats other than int8")
            }
            return matrix.byteBlocks
        }
    }
}

/// A model's layers as llama.cpp loads them.
struct GGUFForm {
    /// The sizes with the replaced blocks.
    private(set) var shape: ModelShape
    /// The indices of the layers that have a branch.
    let kept: [Int]
    /// Whether all layers have the same sizes.
    private let isUniform: Bool

    init(_ shape: ModelShape) {
        kept = shape.layers.indices.filter {
            shape.layers[$0].queryHeads > 0 || shape.layers[$0].feedForward > 0
        }
        self.shape = shape
        self.shape.layers = kept.enumerated().map { place, index in
            var layer = shape.layers[index]
            if layer.queryHeads == 0, place == 0 {
                (layer.queryHeads, layer.keyValueHeads) = (1, 1)
            }
            // The smallest block that can be quantised has 32 neurons.
            if layer.feedForward == 0 { layer.feedForward = 32 }
            return layer
        }
        isUniform = self.shape.isUniform
    }

    var architecture: String { isUniform ? "llama" : "deci" }

    /// Returns one size for all layers, or one size for each layer if sizes differ.
    func sizes(_ size: KeyPath<LayerShape, Int>) -> GGUFValue {
        isUniform
            ? .integer(shape.layers.first?[keyPath: size] ?? 0)
            : .integers(shape.layers.map { $0[keyPath: size] })
    }

    /// Returns a layer in which blocks of zeros replace missing blocks.
    func padded(_ layer: LayerWeights, at place: Int) -> LayerWeights {
        var layer = layer
        let (hidden, sizes) = (shape.hiddenSize, shape.layers[place])
        func zeros(_ rows: Int, _ columns: Int) -> Projection {
            Projection(weight: Matrix(rows: rows, columns: columns))
        }
        let norm = NormWeights(weight: [Float](repeating: 1, count: hidden))
        if layer.attention == nil, sizes.queryHeads > 0 {
            let width = shape.headDimension
            layer.attention = AttentionWeights(
                query: zeros(width, hidden), key: zeros(width, hidden),
                value: zeros(width, hidden), output: zeros(hidden, width))
            layer.attentionNorm = norm
        }
        if layer.feedForward == nil {
            let width = sizes.feedForward
            layer.feedForward = FeedForwardWeights(
                gate: zeros(width, hidden), up: zeros(width, hidden), down: zeros(hidden, width))
            layer.feedForwardNorm = norm
        }
        return layer
    }

    /// A layer whose rotary pairs are adjacent channels of queries and keys, as llama.cpp requires.
    func interleaved(_ layer: LayerWeights) -> LayerWeights {
        var layer = layer
        let (dimension, half) = (shape.headDimension, shape.rotatedChannels / 2)
        func interleaved(_ projection: Projection) -> Projection {
            projection.selecting(
                rows: (0..<projection.weight.rows).map { row in
                    let place = row % dimension
                    return place < 2 * half ? row - place + place % 2 * half + place / 2 : row
                })
        }
        if let block = layer.attention {
            layer.attention?.query = interleaved(block.query)
            layer.attention?.key = interleaved(block.key)
        }
        return layer
    }
}
