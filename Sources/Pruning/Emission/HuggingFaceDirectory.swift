internal import Foundation
public import ModelFiles
public import Tensors
public import Transformers

/// Writes a model as a Hugging Face directory, atomically, with an ``ONNXModel``.
///
/// If layers differ, `config.json` has `espalier_layers`. Then `auto_map` names the Python module
/// with which `from_pretrained(…, trust_remote_code=True)` loads the model.
public enum HuggingFaceDirectory {
    /// Writes a model.
    ///
    /// - Parameters:
    ///   - weights: The weights, read twice, one layer at a time.
    ///   - checkpoint: The model that they were made from, with its configuration, tokenizer and
    ///     other tensors.
    ///   - channels: The channels of the checkpoint's residual stream that the weights keep; nil
    ///     for all.
    ///   - path: The directory; an existing directory is replaced.
    ///   - classifier: An encoder's head. It replaces the checkpoint's other tensors, and the
    ///     configuration names the class with this head.
    ///   - layerDrop: The LayerDrop probability to write into the configuration; nil if it is not
    ///     changed.
    ///   - extraFiles: The contents of further files by name.
    ///   - type: The stored type of weights: `f32`, `f16` or `bf16`.
    ///   - formats: The format of each matrix of linear layers, for which `weights` is rounded; nil
    ///     if all have the stored type.
    ///   - writesONNX: Whether the ONNX graph is also written, which requires the type `f32`. The
    ///     graph has the formats too.
    ///   - progress: Called before each tensor is written, with the number of finished layers; may
    ///     throw to stop.
    /// - Throws: Errors of reading the weights or writing files. Nothing is left behind then.
    public static func write(
        _ weights: some WeightSource, like checkpoint: Checkpoint, channels: [Int]? = nil,
        to path: String, classifier: Classifier? = nil, layerDrop: Double? = nil,
        extraFiles: [String: [UInt8]] = [:], type: DType = .f32, formats: Formats? = nil,
        writesONNX: Bool = true,
        progress: (_ layers: Int) throws -> Void = { _ in }
    ) throws {
        precondition(!writesONNX || type == .f32, "an ONNX graph with 16-bit norms")
        let files = FileManager.default
        let head = try classifier?.taskHead ?? checkpoint.taskHead()
        let names =
            classifier.flatMap { _ in checkpoint.config.family.classifyingNames }
            ?? checkpoint.huggingFaceNames
        let outputs = checkpoint.config.family.outputs(of: head, names: names) ?? []
        let companions = try CompanionFiles(of: checkpoint, width: weights.shape.hiddenSize)
        let temporary =
            "\(path).\(ProcessInfo.processInfo.processIdentifier)-\(UInt32.random(in: .min ... .max)).tmp"
        do {
            try files.createDirectory(
                atPath: temporary, withIntermediateDirectories: true)
        } catch {
            throw ModelFileError(
                file: temporary, problem: "it cannot be created: \(error.plainReason)",
                remedy: "check that the parent directory is writable and the disk is not full")
        }
        do {
            for (name, data) in try checkpoint.tokenizerFiles() {
                try AtomicFile.write(data, to: "\(temporary)/\(name)")
            }
            for folder in companions.folders {
                try files.createDirectory(
                    atPath: "\(temporary)/\(folder)", withIntermediateDirectories: true)
            }
            for (name, bytes) in companions.contents.merging(extraFiles, uniquingKeysWith: { $1 }) {
                let file = URL(fileURLWithPath: "\(temporary)/\(name)")
                try files.createDirectory(
                    at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                try AtomicFile.write(bytes, to: file.path)
            }
            var others = try classifier.map(checkpoint.tensors) ?? checkpoint.otherTensors()
            if let channels {
                others = others.map { tensor in
                    // The rows of logits are labels, even if there are `hiddenSize` of them.
                    let isLogits = outputs.contains {
                        tensor.name.hasPrefix($0.output + ".") || $0.biases.contains(tensor.name)
                    }
                    return tensor.selecting(
                        channels: channels, of: checkpoint.shape.hiddenSize,
                        keepingRows: isLogits)
                }
            }
            let biases = try WeightsFile.write(
                weights, names: names, of: checkpoint.config.family, others: others,
                to: temporary, type: type, formats: formats, progress: progress)
            try writeConfig(
                weights.shape, like: checkpoint, biases: biases, head: head,
                classifier: classifier, layerDrop: layerDrop, type: type, formats: formats,
                to: temporary)
            if writesONNX {
                try ONNXModel.write(
                    weights.shape, in: temporary, names: names, head: head, outputs: outputs)
            }
            try? files.removeItem(atPath: path)
            try files.moveItem(atPath: temporary, toPath: path)
        } catch {
            try? files.removeItem(atPath: temporary)
            throw error
        }
    }

    /// Throws an error if a model cannot be written as a directory.
    ///
    /// - Parameters:
    ///   - checkpoint: The model, or the model from which the written model is made.
    ///   - width: The minimum number of channels of the written residual stream; nil for all.
    /// - Throws: `ModelFileError` that states the reason.
    public static func check(
        _ checkpoint: Checkpoint, width: Int? = nil
    ) throws(ModelFileError) {
        _ = try checkpoint.taskHead()
        _ = try CompanionFiles(of: checkpoint, width: width ?? checkpoint.shape.hiddenSize)
    }

    private static func writeConfig(
        _ shape: ModelShape, like checkpoint: Checkpoint, biases: StockBiases, head: TaskHead,
        classifier: Classifier?, layerDrop: Double?, type: DType, formats: Formats?,
        to directory: String
    ) throws {
        let (config, typeNames) = (checkpoint.config, [DType.f16: "float16", .bf16: "bfloat16"])
        // Another member for the type, also of a part of the model, would take precedence.
        var extra = config.members.mapValues(\.withoutTypes).filter { key, value in
            value != config.members[key]
        }
        extra["dtype"] = .null
        extra["torch_dtype"] = .string(typeNames[type] ?? "float32")
        extra["architectures"] = .array([.string(config.family.className(of: head))])
        extra["head_dim"] = .integer(shape.headDimension)
        if shape.architecture.positions == .rotary {
            extra["rope_theta"] = .number(Double(shape.ropeTheta))
        }
        if !shape.architecture.isEncoder { extra["tie_word_embeddings"] = .bool(shape.tiedHead) }
        if let layerDrop {
            extra[JSONKey(HuggingFaceConfig.layerDropFields[0])] = .number(layerDrop)
        }
        extra.merge(classifier?.kind.fields ?? [:]) { $1 }
        extra.merge(biases.members) { $1 }
        extra[JSONKey(Formats.member)] = .null
        extra.merge(formats?.members ?? [:]) { $1 }
        // The source's own code is not copied.
        extra["auto_map"] = .null
        extra[ModelingEspalier.modulesMember] = .null
        if biases.outputs
            || config.needsCode(for: shape.layers, hiddenSize: shape.hiddenSize)
        {
            extra["auto_map"] = .object(
                ofStrings: ModelingEspalier.autoMap(for: config.family, head: head))
            extra[ModelingEspalier.modulesMember] = ModelingEspalier.modules(of: config.family)
            try AtomicFile.write(
                Array(ModelingEspalier.source.utf8),
                to: "\(directory)/\(ModelingEspalier.fileName)")
        }
        try AtomicFile.write(
            config.encoded(
                layers: shape.layers, hiddenSize: shape.hiddenSize, extra: extra),
            to: "\(directory)/config.json")
    }
}

extension Classifier.Kind {
    /// The fields of `config.json` that describe the labels.
    fileprivate var fields: [JSONKey: JSONValue] {
        var fields: [JSONKey: JSONValue] = [:]
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
