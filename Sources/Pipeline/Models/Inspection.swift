internal import Foundation
public import ModelFiles
public import Profiling
public import Transformers

/// The contents of a file: a model, a profile or tensors.
public enum Inspection {
    /// The sizes of a model, and the format of each matrix if the file names formats.
    case model(ModelShape, formats: Formats? = nil)
    /// A profile.
    case profile(LatencyTable)
    /// The tensors of a file.
    ///
    /// If the file is a model that jobs refuse, `refusal` is their error.
    case tensors([TensorDescription], refusal: ModelFileError? = nil)

    /// Reads a file, and adds remarks on what jobs will refuse.
    ///
    /// - Parameters:
    ///   - name: A model in any form that jobs accept, a profile, or a file of tensors.
    ///   - progress: Receives the remarks.
    /// - Throws: `ModelFileError`, `ProfileError`, or `CancellationError`.
    public init(of name: String, progress: any JobProgress = SilentProgress()) throws {
        let path = try ModelLocation(name, progress: progress).path
        var isDirectory: ObjCBool = false
        _ = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
        if isDirectory.boolValue {
            let hasConfig = FileManager.default.fileExists(
                atPath: transformerDirectory(path) + "/config.json")
            if hasConfig {
                try self.init(model: path, progress)
            } else {
                self = .tensors(TensorDescription.all(in: try openTensorFile(path)))
                progress.remark("\(path) has no config.json: other commands refuse it.")
            }
        } else if path.hasSuffix(".json") {
            try self.init(json: path, progress)
        } else {
            let file = try openTensorFile(path)
            guard let gguf = file as? GGUFFile else {
                self = .tensors(TensorDescription.all(in: file))
                return
            }
            do {
                try self.init(model: path, progress)
            } catch let refusal as ModelFileError {
                let name = try? gguf.string("general.architecture")
                let isModel = HuggingFaceConfig.ggufArchitectures.contains(name ?? "")
                if !isModel { progress.remark("Other commands refuse this file: \(refusal)") }
                self = .tensors(
                    TensorDescription.all(in: file), refusal: isModel ? refusal : nil)
            }
        }
    }

    /// Opens a model as jobs do, and adds remarks on what some of them will refuse.
    private init(model path: String, _ progress: any JobProgress) throws {
        let (shape, remarks) = try ModelShape.read(path)
        for remark in remarks { progress.remark(onModel: remark) }
        self = .model(shape)
        guard !path.hasSuffix(".json") else { return }
        do {
            let checkpoint = try Checkpoint(path)
            self = .model(shape, formats: checkpoint.formats)
            do {
                _ = try checkpoint.tokenizer()
            } catch {
                progress.remark("Commands that read text refuse this model: \(error)")
            }
        } catch {
            progress.remark(
                "Only 'profile' accepts this model, because it needs only the sizes: \(error)")
        }
    }

    private init(json path: String, _ progress: any JobProgress) throws {
        let bytes = try InputFile(path: path).bytes
        let members = try JSONValue(parsing: bytes, file: path).object ?? [:]
        if members["curves"] != nil {
            self = .profile(try LatencyTable(json: bytes, file: path))
        } else if members["model_type"] != nil {
            try self.init(model: path, progress)
        } else if members["weight_map"] != nil {
            self = .tensors(TensorDescription.all(in: try openTensorFile(path)))
        } else {
            throw ModelFileError(
                file: path, problem: "it is not a profile, a config.json or an index of shards",
                remedy: "name a model, a profile, or a safetensors or GGUF file")
        }
    }
}

/// A tensor of a file.
public struct TensorDescription: Encodable, Sendable {
    /// The tensor's name, which may contain any character.
    public let name: String
    /// The type of its elements, such as `f16`.
    public let type: String
    /// The tensor's sizes, the slowest-varying first.
    public let shape: [Int]

    /// The tensors of a file, in the order of their names.
    static func all(in file: any TensorFile) -> [TensorDescription] {
        file.names.map { name in
            TensorDescription(
                name: name, type: file.storedType(of: name)?.name ?? "",
                shape: file.shape(of: name) ?? [])
        }
    }
}
