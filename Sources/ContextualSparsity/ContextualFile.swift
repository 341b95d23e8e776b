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
        let known = plan.thresholds.enumerated().compactMap { index, thresholds in
            thresholds.map { (name(ofLayer: index), $0) }
        }
        let tensors = Dictionary(known) { first, _ in first }
        try SafetensorsWriter.write(
            known.map { SafetensorsWriter.Entry(name: $0.0, shape: [$0.1.count]) },
            to: directory + "/" + tensorName
        ) { tensors[$0.name] ?? [] }
        var members: [JSONKey: JSONValue] = [
            "format_version": .integer(1),
            "layers": .array(
                plan.thresholds.enumerated().filter { $0.1 != nil }.map { .integer($0.0) }),
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
        guard json.object?["format_version"]?.integer == 1 else {
            throw fault("format_version", "it is not 1")
        }
        var plan = ContextualPlan(thresholds: shape.layers.map { _ in nil })
        if let margin = json.object?["head_margin"] {
            plan.headMargin =
                switch margin {
                case .number(let value) where value >= 0: Float(value)
                case .integer(let value) where value >= 0: Float(value)
                default: throw fault("head_margin", "it is not a number from 0 on")
                }
        }
        if let inputs = json.object?["head_inputs"] {
            let known = (inputs.array ?? []).compactMap(\.integer)
            guard known.count == inputs.array?.count, known.count <= CoarseWeights.fineCount,
                known == Set(known).sorted(), known.allSatisfy({ 0..<shape.hiddenSize ~= $0 })
            else { throw fault("head_inputs", "they are not ascending channels of the model") }
            plan.headInputs = known
        }
        guard let layers = json.object?["layers"]?.array else {
            throw fault("layers", "it is missing")
        }
        guard !layers.isEmpty else { return plan }
        let tensors = try SafetensorsFile(path: directory + "/" + tensorName)
        for layer in layers {
            guard let index = layer.integer, shape.layers.indices.contains(index) else {
                throw fault("layers", "it names a layer that the model does not have")
            }
            let found = try tensors.floats(name(ofLayer: index))
            guard found.count == shape.layers[index].feedForward, found.allSatisfy({ $0 >= 0 })
            else {
                throw fault(
                    "layers",
                    "layer \(index) has \(found.count) thresholds, of which some may be "
                        + "negative, for \(shape.layers[index].feedForward) neurons")
            }
            plan.thresholds[index] = found
        }
        return plan
    }

    private static func name(ofLayer index: Int) -> String { "layers.\(index).thresholds" }
}
