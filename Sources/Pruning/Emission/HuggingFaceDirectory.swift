internal import Foundation
internal import ModelFiles
public import Tensors
public import Transformers

/// Writes a model as a Hugging Face directory, with ``ONNXModel`` beside, that appears complete or
/// not at all.
///
/// `config.json` has `per_layer_config` where layers differ, and then `auto_map` with the Python
/// module that makes `from_pretrained(…, trust_remote_code=True)` load it.
public enum HuggingFaceDirectory {
    /// Writes a model.
    ///
    /// - Parameters:
    ///   - weights: The weights, read twice, a layer at a time.
    ///   - checkpoint: What they were made from: configuration, tokenizer, other tensors.
    ///   - channels: The channels of its residual stream that they have; nil for all.
    ///   - path: The directory, replaced where it exists.
    ///   - classifier: An encoder's head, to be written in place of what tensors the checkpoint has
    ///     beside; the directory is then that of a model with such a head.
    ///   - layerDrop: How likely layers were left out in training, where they were, for the
    ///     configuration to say.
    ///   - extraFiles: Further files by name.
    ///   - type: What weights are stored as: `f32`, `f16` or `bf16`.
    ///   - writesONNX: Whether the graph is written too, of weights in `f32` only.
    ///   - progress: Called before each tensor is written with the layers done; may throw to stop.
    /// - Throws: What reading the weights or writing files throws; nothing is left behind then.
    public static func write(
        _ weights: some WeightSource, like checkpoint: Checkpoint, channels: [Int]? = nil,
        to path: String, classifier: Classifier? = nil, layerDrop: Double? = nil,
        extraFiles: [String: [UInt8]] = [:], type: DType = .f32,
        writesONNX: Bool = true,
        progress: (_ layers: Int) throws -> Void = { _ in }
    ) throws {
        precondition(!writesONNX || type == .f32, "an ONNX graph of other weights than floats")
        let files = FileManager.default
        let temporary = path + ".tmp"
        try? files.removeItem(atPath: temporary)
        do {
            try files.createDirectory(
                atPath: temporary, withIntermediateDirectories: true)
        } catch {
            throw ModelFileError(
                file: temporary, problem: "it cannot be created: \(error.plainReason)",
                remedy: "check that the directory above it is writable and has room")
        }
        do {
            for (name, data) in try checkpoint.tokenizerFiles() {
                try AtomicFile.write(data, to: "\(temporary)/\(name)")
            }
            for (name, bytes) in extraFiles {
                try AtomicFile.write(bytes, to: "\(temporary)/\(name)")
            }
            let names =
                classifier.flatMap { _ in checkpoint.config.family.classifyingNames }
                ?? checkpoint.huggingFaceNames
            var others = try classifier.map(checkpoint.tensors) ?? checkpoint.otherTensors()
            if let channels {
                others = others.map {
                    $0.selecting(channels: channels, of: checkpoint.shape.hiddenSize)
                }
            }
            try WeightsFile.write(
                weights, names: names, others: others, to: temporary, type: type,
                progress: progress)
            try writeConfig(
                weights.shape, like: checkpoint, names: names, classifier: classifier,
                layerDrop: layerDrop, type: type, to: temporary)
            if writesONNX { try ONNXModel.write(weights.shape, in: temporary, names: names) }
            try? files.removeItem(atPath: path)
            try files.moveItem(atPath: temporary, toPath: path)
        } catch {
            try? files.removeItem(atPath: temporary)
            throw error
        }
    }

    private static func writeConfig(
        _ shape: ModelShape, like checkpoint: Checkpoint, names: TensorNames,
        classifier: Classifier?, layerDrop: Double?, type: DType, to directory: String
    ) throws {
        let family = checkpoint.config.family
        let typeNames: [DType: String] = [.f16: "float16", .bf16: "bfloat16"]
        var extra: [JSONKey: JSONValue] = [
            "head_dim": .integer(shape.headDimension),
            "torch_dtype": .string(typeNames[type] ?? "float32"),
        ]
        if !shape.architecture.isEncoder {
            extra["tie_word_embeddings"] = .bool(shape.tiedHead)
        }
        if shape.architecture.isRotary {
            extra["rope_theta"] = .number(Double(shape.ropeTheta))
        }
        if let layerDrop {
            extra[JSONKey(HuggingFaceConfig.layerDropFields[0])] = .number(layerDrop)
        }
        if let classifier {
            extra.merge(classifier.kind.fields(of: family)) { $1 }
        }
        let biases = [names.output + ".bias", names.down + ".bias"]
        let stored = try SafetensorsFile(path: directory).names
        if !shape.architecture.hasBiases,
            stored.contains(where: { biases.contains(where: $0.hasSuffix) })
        {
            extra["output_bias"] = .bool(true)
        }
        if checkpoint.config.needsCode(for: shape.layers, hiddenSize: shape.hiddenSize) {
            // Without it no size that layers share can be read by transformers 5.14 and later, which
            // even loading a tokenizer does.
            extra["allow_global_per_layer_attribute_access"] = .bool(true)
            extra["auto_map"] = .object(
                ofStrings: ModelingEspalier.autoMap(
                    for: family, head: try classifier?.kind ?? checkpoint.classifier()?.kind))
            try AtomicFile.write(
                Array(ModelingEspalier.source.utf8),
                to: "\(directory)/\(ModelingEspalier.fileName)")
        }
        try AtomicFile.write(
            checkpoint.config.encoded(
                layers: shape.layers, hiddenSize: shape.hiddenSize, extra: extra),
            to: "\(directory)/config.json")
    }
}

extension Classifier.Kind {
    /// What the classes of `transformers` that have such a head end with.
    var className: String {
        switch self {
        case .labels: "ForSequenceClassification"
        case .spans: "ForQuestionAnswering"
        }
    }

    /// The fields of `config.json` that tell of the head.
    fileprivate func fields(of family: HuggingFaceConfig.Family) -> [JSONKey: JSONValue] {
        let name = ModelingEspalier.className(of: family) + className
        var fields: [JSONKey: JSONValue] = ["architectures": .array([.string(name)])]
        guard case .labels(let count) = self else { return fields }
        let labels = (0..<count).map { ($0, "LABEL_\($0)") }
        fields["id2label"] = .object(
            Dictionary(
                uniqueKeysWithValues: labels.map {
                    (JSONKey(String($0.0)), JSONValue.string($0.1))
                }))
        fields["label2id"] = .object(
            Dictionary(uniqueKeysWithValues: labels.map { (JSONKey($0.1), .integer($0.0)) }))
        fields["problem_type"] = .string(
            count == 1 ? "regression" : "single_label_classification")
        return fields
    }
}
