internal import Foundation
public import ModelFiles
internal import Tensors
public import Transformers

/// The files of a contextual plan, in the model's directory: thresholds and predictors in
/// `contextual.safetensors`, the rest in `contextual.json`.
public enum ContextualFile {
    static let jsonName = "contextual.json"
    static let tensorName = "contextual.safetensors"
    static let version = 2

    /// Writes a plan into a model's directory.
    ///
    /// The JSON file is written last. A directory without it has no plan, so an incomplete plan is
    /// never read.
    ///
    /// - Throws: ``ModelFileError`` if a file cannot be written.
    public static func write(_ plan: ContextualPlan, to directory: String) throws {
        var tensors: [(name: String, matrix: Matrix<Float>)] = []
        func add(_ part: String, _ index: Int, _ matrix: Matrix<Float>) {
            tensors.append((name(of: part, layer: index), matrix))
        }
        func add(_ part: String, _ index: Int, _ vector: [Float]) {
            add(part, index, Matrix(rows: 1, columns: vector.count, elements: vector))
        }
        func add(_ predictor: ContextualPlan.Predictor, _ index: Int, to prefix: String)
            -> [JSONKey: JSONValue]
        {
            var members: [JSONKey: JSONValue] = [:]
            add(prefix + "scores", index, predictor.thresholds)
            switch predictor.method {
            case .coarse(let inputs):
                members["predictor"] = .string("coarse")
                members["inputs"] = .array(inputs.map(JSONValue.integer))
            case .gate: members["predictor"] = .string("gate")
            case .lowRank(let down, let up):
                members["predictor"] = .string("low_rank")
                if predictor.looksAhead { members["looks_ahead"] = .bool(true) }
                add(prefix + "down", index, down)
                add(prefix + "up", index, up)
            }
            return members
        }
        var layers: [JSONValue] = []
        for (index, neurons) in plan.layers.enumerated() {
            guard let neurons else { continue }
            add("thresholds", index, neurons.thresholds)
            var members = neurons.predictor.map { add($0, index, to: "") } ?? [:]
            members["layer"] = .integer(index)
            layers.append(.object(members))
        }
        var attention: [JSONValue] = []
        for (index, counted) in plan.attention.enumerated() {
            guard let counted else { continue }
            var members: [JSONKey: JSONValue] = [:]
            switch counted {
            case .inputs(let entering, let leaving):
                add("entering", index, entering)
                add("leaving", index, leaving)
            case .heads(let predictor): members = add(predictor, index, to: "heads.")
            }
            members["layer"] = .integer(index)
            attention.append(.object(members))
        }
        let values = Dictionary(tensors.map { ($0.name, $0.matrix.elements) }) { first, _ in first }
        try SafetensorsWriter.write(
            tensors.map {
                SafetensorsWriter.Entry(name: $0.name, shape: [$0.matrix.rows, $0.matrix.columns])
            },
            to: directory + "/" + tensorName
        ) { values[$0.name] ?? [] }
        var members: [JSONKey: JSONValue] = [
            "format_version": .integer(version), "sequences": .integer(plan.sequences),
            "layers": .array(layers),
            "attention": .array(attention),
        ]
        if let margin = plan.headMargin {
            members["head_margin"] = .number(Double(margin))
            members["head_inputs"] = .array(plan.headInputs.map(JSONValue.integer))
        }
        let file = try AtomicFile(directory + "/" + jsonName)
        try file.append(JSONValue.object(members).encoded(indented: true))
        try file.commit()
    }

    /// Reads the plan of a decoder.
    ///
    /// - Parameters:
    ///   - directory: The model's directory; a model that is a single file has no plan.
    ///   - shape: The sizes of the model.
    /// - Returns: The plan; nil if the directory has none.
    /// - Throws: ``ModelFileError`` if the plan is damaged or belongs to another model.
    public static func read(
        beside directory: String, of shape: ModelShape
    ) throws(ModelFileError) -> ContextualPlan? {
        guard FileManager.default.fileExists(atPath: directory + "/" + jsonName) else { return nil }
        return try ContextualReader(directory: directory, shape: shape).plan()
    }

    static func name(of part: String, layer index: Int) -> String { "layers.\(index).\(part)" }
}
