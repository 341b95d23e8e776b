internal import Foundation
public import ModelFiles
internal import Tensors
public import Transformers

/// A plan of what a decoder leaves out token by token, as files beside the model: thresholds in
/// `contextual.safetensors`, the rest in `contextual.json`.
public enum ContextualFile {
    static let jsonName = "contextual.json"
    static let tensorName = "contextual.safetensors"

    /// Writes a plan into a model's directory, the JSON last, without which there is no plan.
    ///
    /// - Throws: ``ModelFileError`` where a file cannot be written.
    public static func write(_ plan: ContextualPlan, to directory: String) throws {
        var (tensors, layers): ([String: Matrix<Float>], [JSONValue]) = ([:], [])
        var names: [String] = []
        for (index, neurons) in plan.layers.enumerated() {
            guard let neurons else { continue }
            func add(_ part: String, _ matrix: Matrix<Float>) {
                names.append(name(of: part, layer: index))
                tensors[name(of: part, layer: index)] = matrix
            }
            func add(_ part: String, _ vector: [Float]) {
                add(part, Matrix(rows: 1, columns: vector.count, elements: vector))
            }
            var members: [JSONKey: JSONValue] = [JSONKey("layer"): .integer(index)]
            add("thresholds", neurons.least)
            if let predictor = neurons.predictor {
                add("scores", predictor.least)
                switch predictor.method {
                case .coarse(let inputs):
                    members["predictor"] = .string("coarse")
                    members["inputs"] = .array(inputs.map(JSONValue.integer))
                case .lowRank(let down, let up):
                    members["predictor"] = .string("low_rank")
                    add("down", down)
                    add("up", up)
                }
            }
            layers.append(.object(members))
        }
        try SafetensorsWriter.write(
            names.map { name in
                SafetensorsWriter.Entry(
                    name: name, shape: [tensors[name]?.rows ?? 0, tensors[name]?.columns ?? 0])
            },
            to: directory + "/" + tensorName
        ) { tensors[$0.name]?.elements ?? [] }
        var members: [JSONKey: JSONValue] = [
            "format_version": .integer(2), "layers": .array(layers),
        ]
        if let margin = plan.headMargin {
            members["head_margin"] = .number(Double(margin))
            members["head_inputs"] = .array(plan.headInputs.map(JSONValue.integer))
        }
        let file = try AtomicFile(directory + "/" + jsonName)
        try file.append(JSONValue.object(members).encoded(indented: true))
        try file.commit()
    }

    /// Reads the plan beside a decoder.
    ///
    /// - Parameters:
    ///   - directory: Where the model is; a file has no plan.
    ///   - shape: The sizes of the model.
    /// - Returns: The plan; nil where there is none.
    /// - Throws: ``ModelFileError`` where it is damaged or of another model.
    public static func read(
        beside directory: String, of shape: ModelShape
    ) throws(ModelFileError) -> ContextualPlan? {
        let path = directory + "/" + jsonName
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let json = try JSONValue(parsing: try MappedFile(path: path).bytes, file: path)
        func fault(_ subject: String, _ problem: String) -> ModelFileError {
            ModelFileError(
                file: path, subject: subject, problem: problem,
                remedy: "run espalier sparsify again")
        }
        guard json.object?["format_version"]?.integer == 2 else {
            throw fault("format_version", "it is not 2")
        }
        func channels(_ value: JSONValue?, _ subject: String) throws(ModelFileError) -> [Int] {
            let listed = value?.array ?? []
            let known = listed.compactMap(\.integer)
            guard known.count == listed.count, known.count <= CoarseWeights.fineCount,
                known == Set(known).sorted(), known.allSatisfy({ 0..<shape.hiddenSize ~= $0 })
            else { throw fault(subject, "they are not ascending channels of the model") }
            return known
        }
        var plan = ContextualPlan(layers: shape.layers.map { _ in nil })
        if let margin = json.object?["head_margin"] {
            plan.headMargin =
                switch margin {
                case .number(let value) where value >= 0: Float(value)
                case .integer(let value) where value >= 0: Float(value)
                default: throw fault("head_margin", "it is not a number from 0 on")
                }
        }
        plan.headInputs = try channels(json.object?["head_inputs"], "head_inputs")
        guard let layers = json.object?["layers"]?.array else {
            throw fault("layers", "it is missing")
        }
        guard !layers.isEmpty else { return plan }
        let tensors = try SafetensorsFile(path: directory + "/" + tensorName)
        for layer in layers {
            guard let index = layer.object?["layer"]?.integer, shape.layers.indices.contains(index),
                plan.layers[index] == nil, shape.layers[index].feedForward > 0
            else { throw fault("layers", "one is not of the model, or is there twice") }
            let neurons = shape.layers[index].feedForward
            func read(_ part: String, rows: Int = 1, columns: Int) throws(ModelFileError) -> [Float]
            {
                let name = name(of: part, layer: index)
                let values = try tensors.floats(name)
                guard values.count == rows * columns, !values.contains(where: \.isNaN) else {
                    throw fault(
                        name,
                        "it has \(values.count) values, of which some may be no numbers, where "
                            + "the model needs \(rows * columns)")
                }
                return values
            }
            var known = ContextualPlan.Neurons(least: try read("thresholds", columns: neurons))
            guard known.least.allSatisfy({ $0 >= 0 }) else {
                throw fault(name(of: "thresholds", layer: index), "some are negative")
            }
            let method: ContextualPlan.Predictor.Method?
            switch layer.object?["predictor"]?.string {
            case nil: method = nil
            case "coarse":
                method = .coarse(fineInputs: try channels(layer.object?["inputs"], "inputs"))
            case "low_rank":
                let rank = tensors.shape(of: name(of: "down", layer: index))?.first ?? 0
                guard rank > 0, rank <= neurons else {
                    throw fault("predictor", "its rank is \(rank)")
                }
                let width = shape.hiddenSize
                method = .lowRank(
                    down: Matrix(
                        rows: rank, columns: width,
                        elements: try read("down", rows: rank, columns: width)),
                    up: Matrix(
                        rows: neurons, columns: rank,
                        elements: try read("up", rows: neurons, columns: rank)))
            case let other?: throw fault("predictor", "\"\(other)\" is not one of coarse, low_rank")
            }
            if let method {
                known.predictor = ContextualPlan.Predictor(
                    method, above: try read("scores", columns: neurons))
            }
            plan.layers[index] = known
        }
        return plan
    }

    private static func name(of part: String, layer index: Int) -> String {
        "layers.\(index).\(part)"
    }
}
