internal import ModelFiles
internal import Tensors
internal import Transformers

/// Reads a plan, and holds it to the model's sizes.
struct ContextualReader {
    private let directory: String
    private let shape: ModelShape
    private let members: [JSONKey: JSONValue]

    init(directory: String, shape: ModelShape) throws(ModelFileError) {
        (self.directory, self.shape) = (directory, shape)
        let path = directory + "/" + ContextualFile.jsonName
        let json = try JSONValue(parsing: try MappedFile(path: path).bytes, file: path)
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
                default: throw fault("head_margin", "it is not a number from 0 on")
                }
        }
        plan.headInputs = try channels(members["head_inputs"], "head_inputs")
        guard let layers = members["layers"]?.array, let attention = members["attention"]?.array
        else { throw fault("layers", "what counts of layers, or of attention, is missing") }
        guard !layers.isEmpty || !attention.isEmpty else { return plan }
        let tensors = try SafetensorsFile(path: directory + "/" + ContextualFile.tensorName)
        for layer in layers {
            let index = try place(layer.object?["layer"], "layers") {
                plan.layers[$0] == nil && shape.layers[$0].feedForward > 0
            }
            plan.layers[index] = try neurons(index, layer.object ?? [:], tensors)
        }
        for layer in attention {
            let index = try place(layer, "attention") {
                plan.attention[$0] == nil && shape.layers[$0].queryHeads > 0
            }
            let width = shape.layers[index].queryHeads * shape.headDimension
            plan.attention[index] = ContextualPlan.Inputs(
                entering: try sizes("entering", index, shape.hiddenSize, tensors),
                leaving: try sizes("leaving", index, width, tensors))
        }
        return plan
    }

    /// The index of a layer that may be named.
    private func place(
        _ value: JSONValue?, _ subject: String, where isFree: (Int) -> Bool
    ) throws(ModelFileError) -> Int {
        guard let index = value?.integer, shape.layers.indices.contains(index), isFree(index) else {
            throw fault(subject, "one is not of the model, or is there twice")
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
        else { throw fault(subject, "they are not ascending channels of the model") }
        return known
    }

    private func neurons(
        _ index: Int, _ members: [JSONKey: JSONValue], _ tensors: SafetensorsFile
    ) throws(ModelFileError) -> ContextualPlan.Neurons {
        let count = shape.layers[index].feedForward
        var neurons = ContextualPlan.Neurons(
            least: try sizes("thresholds", index, count, tensors))
        let method: ContextualPlan.Predictor.Method
        switch members["predictor"]?.string {
        case nil: return neurons
        case "coarse": method = .coarse(fineInputs: try channels(members["inputs"], "inputs"))
        case "gate" where shape.architecture.activation == .swiglu: method = .gate
        case "low_rank":
            let rank =
                tensors.shape(of: ContextualFile.name(of: "down", layer: index))?.first ?? 0
            guard rank > 0, rank <= count else { throw fault("predictor", "its rank is \(rank)") }
            method = .lowRank(
                down: try matrix("down", index, rows: rank, columns: shape.hiddenSize, tensors),
                up: try matrix("up", index, rows: count, columns: rank, tensors))
        case let other?:
            throw fault("predictor", "\"\(other)\" is not one of coarse, gate, low_rank")
        }
        neurons.predictor = ContextualPlan.Predictor(
            method, above: try matrix("scores", index, rows: 1, columns: count, tensors).elements)
        return neurons
    }

    private func matrix(
        _ part: String, _ index: Int, rows: Int, columns: Int, _ tensors: SafetensorsFile
    ) throws(ModelFileError) -> Matrix<Float> {
        let name = ContextualFile.name(of: part, layer: index)
        let values = try tensors.floats(name)
        guard values.count == rows * columns, !values.contains(where: \.isNaN) else {
            throw fault(
                name,
                "it has \(values.count) values, of which some may be no numbers, where the model "
                    + "needs \(rows * columns)")
        }
        return Matrix(rows: rows, columns: columns, elements: values)
    }

    /// A vector without anything below 0.
    private func sizes(
        _ part: String, _ index: Int, _ count: Int, _ tensors: SafetensorsFile
    ) throws(ModelFileError) -> [Float] {
        let values = try matrix(part, index, rows: 1, columns: count, tensors).elements
        guard values.allSatisfy({ $0 >= 0 }) else {
            throw fault(ContextualFile.name(of: part, layer: index), "some are negative")
        }
        return values
    }
}
