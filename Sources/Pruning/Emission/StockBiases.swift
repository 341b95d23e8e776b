internal import ModelFiles
internal import Transformers

/// Which biases the projections of a model have, as `config.json` tells `transformers`: all layers
/// have them, or none.
struct StockBiases {
    /// `output_bias` of ``ModelingEspalier``: on the last projection of either block, which stock code
    /// of most families does not have.
    private(set) var outputs = false

    /// The fields of the family's own, and whether each is true.
    private var switches: [String: Bool] = [:]
    /// The projections that must have biases in every layer.
    private var projections: Set<String> = []

    /// Finds out what a file's tensors need.
    ///
    /// - Parameters:
    ///   - family: The family that the file is to be of.
    ///   - names: What its tensors are called.
    ///   - tensors: The names of all tensors.
    ///   - path: The model, for errors.
    /// - Throws: `ModelFileError` for biases that no class of the family has.
    init(
        _ family: Family, names: TensorNames, tensors: [String], path: String
    ) throws(ModelFileError) {
        // Where every model has all biases, there is nothing to say.
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
            throw ModelFileError(
                file: path, subject: "biases",
                problem: "no class of model_type \"\(family.name)\" has those of this file",
                remedy: "correct model_type: \"llama\" has attention_bias and mlp_bias")
        }
        if outputs { needed.formUnion(outputBiases) }
        for (kind, names) in kinds where needed.contains(kind) { projections.formUnion(names) }
    }

    /// The members of `config.json` that say so; null for one that must not be there.
    var members: [JSONKey: JSONValue] {
        var members: [JSONKey: JSONValue] = ["output_bias": outputs ? .bool(true) : .null]
        for (field, isOn) in switches { members[JSONKey(field)] = .bool(isOn) }
        return members
    }

    /// The biases that are missing among tensors, to be filled with zeros.
    func missing(among entries: [SafetensorsWriter.Entry]) -> [SafetensorsWriter.Entry] {
        let known = Set(entries.map(\.name))
        return entries.compactMap { entry in
            guard entry.name.hasSuffix(".weight"), let rows = entry.shape.first else { return nil }
            let projection = entry.name.dropLast(".weight".count)
            let bias = projection + ".bias"
            guard projections.contains(where: { projection.hasSuffix("." + $0) }),
                !known.contains(String(bias))
            else { return nil }
            return SafetensorsWriter.Entry(name: String(bias), shape: [rows], type: entry.type)
        }
    }
}
