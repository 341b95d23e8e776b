internal import ModelFiles
internal import Tensors
internal import Transformers

/// Reads a contextual plan and checks it against the model's sizes.
struct ContextualReader {
    private let directory: String
    private let shape: ModelShape
    private let members: [JSONKey: JSONValue]

    init(directory: String, shape: ModelShape) throws(ModelFileError) {
        (self.directory, self.shape) = (directory, shape)
        let path = directory + "/" + ContextualFile.jsonName
        let json = try JSONValue(parsing: try InputFile(path: path).bytes, file: path)
        members = json.object ?? [:]
        guard members["format_version"]?.integer == ContextualFile.version else {
            throw fault("format_version", "it is not \(ContextualFile.version)")
        }
    }

    private func fault(_ subject: String, _ problem: String) -> ModelFileError {
        ModelFileError(
            file: directory + "/" + ContextualFile.jsonName, subject: subject, problem: problem,
            remedy: "run espalier sparsify again")
    }

    func plan() throws(ModelFileError) -> ContextualPlan {
        var plan = ContextualPlan(layers: shape.layers.map { _ in nil })
        if let margin = members["head_margin"] {
            plan.headMargin =
                switch margin {
                case .number(let value) where value >= 0: Float(value)
                case .integer(let value) where value >= 0: Float(value)
                default: throw fault("head_margin", "it is not a number of at least 0")
                }
        }
        if let sequences = members["sequences"] {
            guard let count = sequences.integer, 1...1024 ~= count else {
                throw fault("sequences", "it is not an integer from 1 to 1024")
            }
            plan.sequences = count
        }
        plan.headInputs = try channels(members["head_inputs"], "head_inputs")
        guard let layers = members["layers"]?.array, let attention = members["attention"]?.array
        else { throw fault("layers", "this list or the list \"attention\" is missing") }
        guard !layers.isEmpty || !attention.isEmpty else { return plan }
        let tensors = try SafetensorsFile(path: directory + "/" + ContextualFile.tensorName)
        for layer in layers {
            let index = try place(layer.object?["layer"], "layers") {
                plan.layers[$0] == nil && shape.layers[$0].feedForward > 0
            }
            plan.layers[index] = try neurons(index, layer.object ?? [:], tensors)
        }
        for layer in attention {
            let index = try place(layer.object?["layer"], "attention") {
                plan.attention[$0] == nil && shape.layers[$0].queryHeads > 0
            }
            let heads = shape.layers[index].queryHeads
            if let predictor = try predictor(
                index, layer.object ?? [:], of: .attention, "heads.", units: heads, tensors)
            {
                plan.attention[index] = .heads(predictor)
            } else {
                plan.attention[index] = .inputs(
                    entering: try sizes("entering", index, shape.hiddenSize, tensors),
                    leaving: try sizes("leaving", index, heads * shape.headDimension, tensors))
            }
        }
        return plan
    }

    /// Reads the index of a layer, which must have a block of this kind and no previous entry.
    private func place(
        _ value: JSONValue?, _ subject: String, where isFree: (Int) -> Bool
    ) throws(ModelFileError) -> Int {
        guard let index = value?.integer, shape.layers.indices.contains(index), isFree(index) else {
            throw fault(subject, "an entry has a wrong layer index, or the index of another entry")
        }
        return index
    }

    private func channels(
        _ value: JSONValue?, _ subject: String
    ) throws(ModelFileError) -> [Int] {
        let listed = value?.array ?? []
        let known = listed.compactMap(\.integer)
        guard known.count == listed.count, known.count <= CoarseWeights.fineCount,
            known == Set(known).sorted(), known.allSatisfy({ 0..<shape.hiddenSize ~= $0 })
        else { throw fault(subject, "it is not an ascending list of channel indices") }
        return known
    }

    private func neurons(
        _ index: Int, _ members: [JSONKey: JSONValue], _ tensors: SafetensorsFile
    ) throws(ModelFileError) -> ContextualPlan.Neurons {
        let count = shape.layers[index].feedForward
        return ContextualPlan.Neurons(
            thresholds: try sizes("thresholds", index, count, tensors),
            predictor: try predictor(
                index, members, of: .feedForward, "", units: count, tensors))
    }

    /// Reads the predictor of a block; nil if its entry has no predictor.
    private func predictor(
        _ index: Int, _ members: [JSONKey: JSONValue], of kind: ComponentKind, _ prefix: String,
        units: Int, _ tensors: SafetensorsFile
    ) throws(ModelFileError) -> ContextualPlan.Predictor? {
        let isAttention = kind == .attention
        let method: ContextualPlan.Predictor.Method
        var looksAhead = false
        switch members["predictor"]?.string {
        case nil: return nil
        case "coarse" where !isAttention:
            method = .coarse(fineInputs: try channels(members["inputs"], "inputs"))
        case "gate" where !isAttention && shape.architecture.layer.isGated: method = .gate
        case "low_rank":
            let name = ContextualFile.name(of: prefix + "down", layer: index)
            let rank = tensors.shape(of: name)?.first ?? 0
            guard rank > 0, rank <= 4096 else {
                throw fault("predictor", "the rank \(rank) is not supported")
            }
            method = .lowRank(
                down: try matrix(
                    prefix + "down", index, rows: rank, columns: shape.hiddenSize, tensors),
                up: try matrix(prefix + "up", index, rows: units, columns: rank, tensors))
            looksAhead = members["looks_ahead"] == .bool(true)
            let before = shape.layers[..<index].map { isAttention ? $0.queryHeads : $0.feedForward }
            guard !looksAhead || before.contains(where: { $0 > 0 }) else {
                throw fault("looks_ahead", "no block of this kind is before layer \(index)")
            }
        case let other?: throw fault("predictor", "the method \"\(other)\" does not fit the model")
        }
        return ContextualPlan.Predictor(
            method,
            above: try matrix(prefix + "scores", index, rows: 1, columns: units, tensors).elements,
            looksAhead: looksAhead)
    }

    private func matrix(
        _ part: String, _ index: Int, rows: Int, columns: Int, _ tensors: SafetensorsFile
    ) throws(ModelFileError) -> Matrix<Float> {
        let name = ContextualFile.name(of: part, layer: index)
        let values = try tensors.storedFloats(name)
        guard values.count == rows * columns, !values.contains(where: \.isNaN) else {
            throw fault(
                name,
                "it has \(values.count) values, of which some may be NaN, and the model "
                    + "needs \(rows * columns)")
        }
        return Matrix(rows: rows, columns: columns, elements: values)
    }

    /// Reads a vector whose values must not be negative.
    private func sizes(
        _ part: String, _ index: Int, _ count: Int, _ tensors: SafetensorsFile
    ) throws(ModelFileError) -> [Float] {
        let values = try matrix(part, index, rows: 1, columns: count, tensors).elements
        guard values.allSatisfy({ $0 >= 0 }) else {
            throw fault(ContextualFile.name(of: part, layer: index), "some values are negative")
        }
        return values
    }
}
