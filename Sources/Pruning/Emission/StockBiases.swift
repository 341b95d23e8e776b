internal import ModelFiles
internal import Tensors
internal import Transformers

/// The biases of a model's projections in `config.json`: `transformers` has them in all layers or
/// in none.
struct StockBiases {
    /// `output_bias` of ``ModelingEspalier``: biases of the last projection of both blocks, which
    /// most families do not have in `transformers`.
    private(set) var outputs = false

    /// The family's own fields of `config.json`, and their values.
    private var switches: [String: Bool] = [:]
    /// The projections that must have biases in every layer.
    private var projections: Set<String> = []

    /// Finds the biases that a file's tensors need.
    ///
    /// - Parameters:
    ///   - family: The family of the file.
    ///   - names: The names of its tensors.
    ///   - tensors: The names of all tensors.
    ///   - path: The model, for error messages.
    /// - Throws: `ModelFileError` for biases that no class of the family has.
    init(
        _ family: Family, names: TensorNames, tensors: [String], path: String
    ) throws(ModelFileError) {
        // If the architecture always has all biases, no field is needed.
        guard family.architecture.layer.biases.isEmpty else { return }
        let kinds: [(kind: OptionalWeights, projections: [String])] = [
            (.attentionInputBiases, [names.query, names.key, names.value]),
            (.attentionOutputBias, [names.output]),
            (.feedForwardInputBiases, [names.gate, names.up].compactMap(\.self)),
            (.feedForwardOutputBias, [names.down]),
        ]
        var (found, needed) = (OptionalWeights(), family.alwaysHas)
        for (kind, projections) in kinds {
            let biases = projections.map { $0 + ".bias" }
            if tensors.contains(where: { biases.contains(where: $0.hasSuffix) }) {
                found.insert(kind)
            }
        }
        for (field, weights) in family.optionalWeightFields {
            switches[field] = !found.isDisjoint(with: weights)
            if !found.isDisjoint(with: weights) { needed.formUnion(weights) }
        }
        let outputBiases: OptionalWeights = [.attentionOutputBias, .feedForwardOutputBias]
        let others = found.subtracting(needed)
        outputs = !others.isEmpty
        guard others.isSubset(of: outputBiases) else {
            let able = Family.all.first { other in
                other.architecture == family.architecture
                    && other.optionalWeightFields.reduce(into: other.alwaysHas) {
                        $0.formUnion($1.weights)
                    }.isSuperset(of: found)
            }
            let fields = able?.optionalWeightFields.map(\.field).joined(separator: " and ")
            throw ModelFileError(
                file: path, subject: "biases",
                problem: "no class of model_type \"\(family.name)\" has the biases of this file",
                remedy: able.map { "correct model_type: \"\($0.name)\" has \(fields ?? "")" }
                    ?? "use the weights without these biases")
        }
        if outputs { needed.formUnion(outputBiases) }
        for (kind, names) in kinds where needed.contains(kind) { projections.formUnion(names) }
    }

    /// The members of `config.json` for the biases; null removes a member.
    var members: [JSONKey: JSONValue] {
        var members: [JSONKey: JSONValue] = ["output_bias": outputs ? .bool(true) : .null]
        for (field, isOn) in switches { members[JSONKey(field)] = .bool(isOn) }
        return members
    }

    /// Returns the biases that are missing among tensors, to be filled with zeros.
    ///
    /// - Parameters:
    ///   - entries: The tensors.
    ///   - type: The stored type of the biases. Weights may have another type.
    /// - Returns: The missing biases.
    func missing(
        among entries: [SafetensorsWriter.Entry], type: DType
    ) -> [SafetensorsWriter.Entry] {
        let known = Set(entries.map(\.name))
        return entries.compactMap { entry in
            guard entry.name.hasSuffix(".weight"), let rows = entry.shape.first else { return nil }
            let projection = entry.name.dropLast(".weight".count)
            let bias = projection + ".bias"
            guard projections.contains(where: { projection.hasSuffix("." + $0) }),
                !known.contains(String(bias))
            else { return nil }
            return SafetensorsWriter.Entry(name: String(bias), shape: [rows], type: type)
        }
    }
}
