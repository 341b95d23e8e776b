internal import ModelFiles
internal import Tensors
internal import Transformers

/// The safetensors file of a model's weights, or its shards, read and written one layer at a time.
enum WeightsFile {
    /// The maximum size in bytes of the tensors of one file, unless one tensor is larger.
    static let maximumBytes = 4 << 30

    /// Writes all weights of a model as one safetensors file, or as shards with an index.
    ///
    /// Shards are written if the tensors exceed the maximum size of one file.
    ///
    /// - Parameters:
    ///   - weights: The weights. Their outlines are read for the headers, then their elements.
    ///   - names: The names of the tensors.
    ///   - family: The family of the model. Its classes have biases in all layers or in none, so
    ///     missing biases are written as zeros.
    ///   - others: Further tensors.
    ///   - directory: The directory for the files.
    ///   - maximumBytes: The maximum size in bytes of the tensors of one file.
    ///   - type: The stored type of weights: `f32`, `f16` or `bf16`.
    ///   - formats: The format of each matrix of linear layers, for which `weights` is rounded; nil
    ///     if all have the stored type.
    ///   - progress: Called before each tensor is written, with the number of layers done; may
    ///     throw to stop.
    /// - Returns: The biases in the files.
    /// - Throws: Errors of reading the weights or writing files.
    @discardableResult
    static func write(
        _ weights: some WeightSource, names: TensorNames, of family: Family,
        others: [NamedTensor] = [], to directory: String, maximumBytes: Int = maximumBytes,
        type: DType = .f32, formats: Formats? = nil,
        progress: (_ layers: Int) throws -> Void = { _ in }
    ) throws -> StockBiases {
        let tableFormat = formats?.table(of: weights.shape)
        let outer =
            (names.tensors(of: try weights.embeddings(), tableFormat: tableFormat)
            + names.tensors(of: try weights.head(), format: formats?.head) + others)
            .flatMap(\.parts)
        var entries = outer.map { $0.entry(type) }
        var layerOf: [String: Int] = [:]
        func tensors(of layer: LayerWeights, at index: Int) -> [NamedTensor] {
            names.tensors(
                of: layer, at: index, headDimension: weights.shape.headDimension,
                formats: formats?.layers[index]
            ).flatMap(\.parts)
        }
        for index in weights.shape.layers.indices {
            for tensor in tensors(of: try weights.outline(index), at: index) {
                entries.append(tensor.entry(type))
                layerOf[tensor.name] = index
            }
        }
        let biases = try StockBiases(
            family, names: names, tensors: entries.map(\.name), path: directory)
        let zeros = biases.missing(among: entries, type: type)
        entries += zeros
        let filled = Set(zeros.map(\.name))
        var loaded: (index: Int, tensors: [NamedTensor])?
        var done: Set<Int> = []
        let file = SafetensorsFile.name(withFormats: formats != nil)
        let shards = shards(of: entries, maximumBytes: maximumBytes, file: file)
        for (name, entries) in shards {
            try SafetensorsWriter.write(entries, to: "\(directory)/\(name)") { entry in
                try progress(done.count)
                if filled.contains(entry.name) {
                    return [Float](repeating: 0, count: entry.shape.reduce(1, *))
                }
                guard let index = layerOf[entry.name] else {
                    return outer.first { $0.name == entry.name }?.elements ?? []
                }
                if loaded?.index != index {
                    done.formUnion([loaded?.index].compactMap(\.self))
                    loaded = (index, tensors(of: try weights.layer(index), at: index))
                }
                return loaded?.tensors.first { $0.name == entry.name }?.elements ?? []
            }
        }
        if shards.count > 1 { try writeIndex(of: shards, to: "\(directory)/\(file).index.json") }
        return biases
    }

    /// Returns the files and the entries of each file, in the order of the entries.
    private static func shards(
        of entries: [SafetensorsWriter.Entry], maximumBytes: Int, file: String
    ) -> [(name: String, entries: [SafetensorsWriter.Entry])] {
        var groups: [[SafetensorsWriter.Entry]] = [[]]
        var bytes = 0
        for entry in entries {
            if bytes > 0, bytes + entry.byteCount > maximumBytes {
                groups.append([])
                bytes = 0
            }
            groups[groups.count - 1].append(entry)
            bytes += entry.byteCount
        }
        guard groups.count > 1 else { return [(file, entries)] }
        let stem = file.prefix { $0 != "." }
        let count = groups.count.padded(to: 5)
        return groups.enumerated().map { index, entries in
            ("\(stem)-\((index + 1).padded(to: 5))-of-\(count).safetensors", entries)
        }
    }

    private static func writeIndex(
        of shards: [(name: String, entries: [SafetensorsWriter.Entry])], to path: String
    ) throws(ModelFileError) {
        let places = shards.flatMap { shard in shard.entries.map { ($0.name, shard.name) } }
        let bytes = shards.reduce(0) { $0 + $1.entries.reduce(0) { $0 + $1.byteCount } }
        let index: JSONValue = .object([
            "metadata": .object(["total_size": .integer(bytes)]),
            "weight_map": .object(ofStrings: Dictionary(uniqueKeysWithValues: places)),
        ])
        try AtomicFile.write(index.encoded(indented: true), to: path)
    }
}

extension NamedTensor {
    /// The tensors that store this one: the tensor itself, its blocks, or its integers and the
    /// scales of its rows.
    fileprivate var parts: [NamedTensor] {
        switch format {
        case .int4:
            let blocks = codes?.blocks(of: .q40) ?? []
            let width = shape[1] / DType.q40.blockSize * DType.q40.bytesPerBlock
            var stored = NamedTensor(
                name: name, shape: [shape[0], width], elements: blocks.map(Float.init))
            stored.format = format
            return [stored]
        case .int8:
            let matrix = Matrix(rows: shape[0], columns: shape[1], elements: elements)
            let scales = matrix.byteScales
            var codes = NamedTensor(
                name: name, shape: shape, elements: matrix.byteCodes(scales: scales))
            codes.format = format
            return [
                codes,
                NamedTensor(
                    name: name + IntegerTensors.scaleSuffix, shape: [shape[0]], elements: scales),
            ]
        case .f32, .bf16x2, .f16, .bf16, nil: return [self]
        }
    }

    /// The tensor in a file whose weights have a type.
    fileprivate func entry(_ type: DType) -> SafetensorsWriter.Entry {
        let stored: DType =
            switch format {
            case .f16: .f16
            case .bf16: .bf16
            case .int8: .i8
            case .int4: .u8
            case .f32, .bf16x2: .f32
            case nil: name.hasSuffix(IntegerTensors.scaleSuffix) ? .f32 : type
            }
        return SafetensorsWriter.Entry(name: name, shape: shape, type: stored)
    }
}

extension Int {
    /// Returns the number with leading zeros, so that names sort in the order of their numbers.
    func padded(to digits: Int) -> String {
        let text = String(self)
        return String(repeating: "0", count: Swift.max(0, digits - text.count)) + text
    }
}

extension SafetensorsWriter.Entry {
    fileprivate var byteCount: Int { shape.reduce(type.bytesPerBlock, *) }
}
