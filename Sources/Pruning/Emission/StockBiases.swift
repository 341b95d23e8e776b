internal import ModelFiles
internal import Transformers

/// Which biases the projections of a rotary decoder have, as `transformers` is told of them: all of
/// its layers have them, or none.
struct StockBiases {
    /// `attention_bias`: on queries, keys, values and the projection behind them.
    private(set) var attention = false
    /// `mlp_bias`: on all of the feed-forward block.
    private(set) var feedForward = false
    /// `output_bias` of ``ModelingEspalier``: on the last projection of either block, which stock code
    /// of most families does not have.
    private(set) var outputs = false

    private let family: HuggingFaceConfig.Family
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
        _ family: HuggingFaceConfig.Family, names: TensorNames, tensors: [String], path: String
    ) throws(ModelFileError) {
        self.family = family
        guard [.llama, .mistral, .qwen2, .qwen3].contains(family) else { return }
        func biased(_ projections: [String?]) -> Bool {
            let biases = projections.compactMap { $0.map { $0 + ".bias" } }
            return tensors.contains { tensor in biases.contains(where: tensor.hasSuffix) }
        }
        let (inputs, inner) = ([names.query, names.key, names.value], [names.gate, names.up])
        let hasOutput = biased([names.output])
        switch family {
        case .llama:
            attention = hasOutput || biased(inputs)
            feedForward = biased(inner + [names.down])
        case .qwen3:
            attention = hasOutput || biased(inputs)
            outputs = biased([names.down])
        default: outputs = hasOutput || biased([names.down])
        }
        let isStrange =
            family == .mistral && biased(inputs) || family != .llama && biased(inner)
        guard !isStrange else {
            throw ModelFileError(
                file: path, subject: "biases",
                problem: "no class of model_type \"\(family.rawValue)\" has those of this file",
                remedy: "correct model_type: \"llama\" has attention_bias and mlp_bias")
        }
        if attention || family == .qwen2 { projections.formUnion(inputs) }
        if attention || outputs { projections.insert(names.output) }
        if feedForward { projections.formUnion(inner.compactMap(\.self)) }
        if feedForward || outputs { projections.insert(names.down) }
    }

    /// The members of `config.json` that say so; null where one has to go.
    var members: [JSONKey: JSONValue] {
        var members: [JSONKey: JSONValue] = ["output_bias": outputs ? .bool(true) : .null]
        if [.llama, .qwen3].contains(family) { members["attention_bias"] = .bool(attention) }
        if family == .llama { members["mlp_bias"] = .bool(feedForward) }
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
