internal import Foundation
public import ModelFiles

extension ModelShape {
    /// Reads the sizes of a model, whose weights may be absent.
    ///
    /// - Parameter path: A Hugging Face directory with or without weights, a `config.json`, or a
    ///   `.gguf` file.
    /// - Throws: `ModelFileError` if the model is damaged or of an unsupported kind.
    public init(contentsOf path: String) throws(ModelFileError) {
        self = try Self.read(path).shape
    }

    /// Reads the sizes of a model, and remarks about ignored parts that could change results.
    ///
    /// - Parameter path: As for ``init(contentsOf:)``.
    /// - Returns: The sizes, and the remarks with one sentence each.
    /// - Throws: As ``init(contentsOf:)`` does.
    public static func read(
        _ path: String
    ) throws(ModelFileError) -> (shape: ModelShape, remarks: [String]) {
        let path = transformerDirectory(path)
        let weights = [""] + SafetensorsFile.names.map { "/" + $0 }
        let hasWeights = weights.contains { name in
            var isDirectory: ObjCBool = false
            let exists = FileManager.default.fileExists(
                atPath: path + name, isDirectory: &isDirectory)
            return exists && !isDirectory.boolValue
        }
        if hasWeights && !path.hasSuffix(".json") {
            let checkpoint = try Checkpoint(path)
            return (checkpoint.shape, checkpoint.remarks)
        } else {
            let config = try HuggingFaceConfig(path: path)
            try config.checkActivation()
            let shape = ModelShape(
                config, isTied: !config.family.architecture.isEncoder && config.tiesWordEmbeddings)
            return (shape, unknownFieldsRemark(config.unknownFields, config.path))
        }
    }

    /// The number of parameters of a model of this shape.
    ///
    /// It includes embeddings, norms, and the biases of the architecture and of
    /// ``optionalWeights``. It does not include a pooler.
    public var parameters: Int {
        let (recipe, place) = (architecture.layer, architecture.layer.normPlace)
        let norm = (recipe.norm.hasBias ? 2 : 1) * hiddenSize
        func projection(_ inputs: Int, _ outputs: Int, _ kind: OptionalWeights) -> Int {
            (inputs + (has(kind) ? 1 : 0)) * outputs
        }
        var rows = vocabularySize + architecture.segmentTypes
        if architecture.positions == .learned { rows += maximumPositions }
        if architecture.isCausal, !tiedHead { rows += vocabularySize }
        var total = rows * hiddenSize
        if let biases { total += (biases.tableRows ?? 0) * biases.heads }
        total += architecture.normalisesEmbeddings ? norm : 0
        total += architecture.hasFinalNorm ? norm : 0
        for layer in layers {
            let queries = layer.queryHeads * headDimension
            if queries > 0 {
                total += projection(hiddenSize, queries, .attentionInputBiases)
                total += projection(queries, hiddenSize, .attentionOutputBias)
                total +=
                    2
                    * projection(
                        hiddenSize, layer.keyValueHeads * headDimension, .attentionInputBiases)
                if hasHeadNorms { total += 2 * headDimension }
            }
            if layer.feedForward > 0 {
                total +=
                    (recipe.isGated ? 2 : 1)
                    * projection(hiddenSize, layer.feedForward, .feedForwardInputBiases)
                total += projection(layer.feedForward, hiddenSize, .feedForwardOutputBias)
            }
            for isThere in [queries > 0, layer.feedForward > 0] {
                total += place.hasNorm(ofBranch: isThere) ? norm : 0
                total += place.hasOutputNorm(ofBranch: isThere) ? norm : 0
            }
        }
        return total
    }
}

/// The remark about unknown fields, which could change results; empty if there are none.
func unknownFieldsRemark(_ names: [String], _ path: String) -> [String] {
    guard !names.isEmpty else { return [] }
    let list = names.prefix(10).map { JSONValue.string($0).excerpt }.joined(separator: ", ")
    let more = names.count > 10 ? " and \(names.count - 10) more" : ""
    return [
        "\(path): \(list)\(more): unknown and ignored; if this changes what the model "
            + "computes, results are wrong."
    ]
}
