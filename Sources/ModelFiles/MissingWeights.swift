#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The error for a directory without supported weights.
enum MissingWeights {
    /// Returns the error, which names files of the directory and says how to convert them.
    static func error(in directory: String) -> ModelFileError {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [])
            .sorted()
        func fault(_ problem: String, _ remedy: String) -> ModelFileError {
            ModelFileError(file: directory, problem: problem, remedy: remedy)
        }
        if let name = names.first(where: { $0.hasPrefix("pytorch_model") && $0.contains(".bin") }) {
            return fault(
                "it holds no safetensors, only \(quoted(name)), which is not supported "
                    + "because such files can run code",
                "convert it with: " + conversion(of: directory))
        }
        if names.contains("adapter_model.safetensors") || names.contains("adapter_model.bin") {
            return fault(
                "it holds an adapter (LoRA), not a complete model",
                "merge it into its base model with peft's merge_and_unload(), and name the result")
        }
        let models = names.filter { $0.hasSuffix(".gguf") }
        if !models.isEmpty {
            return fault(
                "it holds GGUF files and no safetensors",
                "name one of them: "
                    + models.prefix(20).map { quoted("\(directory)/\($0)") }
                    .joined(separator: ", "))
        }
        let others = ["tf_model.h5", "flax_model.msgpack", "model.onnx", "rust_model.ot"]
        if let name = names.first(where: {
            others.contains($0) || $0.hasSuffix(".pth") || $0.hasPrefix("consolidated")
        }) {
            return fault(
                "it holds \(quoted(name)) and no model.safetensors",
                "fetch the model's safetensors, or convert it to a Hugging Face directory")
        }
        return fault(
            "it holds no model.safetensors and no index of shards",
            "name a directory with a Hugging Face model's weights")
    }

    /// Returns a shell command that writes safetensors from weights that `transformers` can read.
    private static func conversion(of directory: String) -> String {
        let bytes = (try? InputFile(path: directory + "/config.json").bytes) ?? []
        let config = try? JSONValue(parsing: bytes, file: directory)
        let name = config?.object?["architectures"]?.array?.first?.string ?? ""
        let isName =
            !name.isEmpty
            && name.utf8.allSatisfy { byte in
                let character = Character(Unicode.Scalar(byte))
                return character.isASCII && (character.isLetter || character.isNumber)
            }
        let place = String(quoted(directory).dropFirst().dropLast())
        return "python -c \"import transformers as t; t.\(isName ? name : "AutoModel")"
            + ".from_pretrained('\(place)').save_pretrained('\(place)')\""
    }
}

/// Returns the directory of the transformer in a model's directory.
///
/// It is the directory itself, or the folder that the first module of a sentence-transformers
/// `modules.json` names, such as `0_Transformer`.
///
/// - Parameter path: A directory; any other path is returned unchanged.
/// - Returns: The directory of `config.json`.
public func transformerDirectory(_ path: String) -> String {
    guard FileKind(of: path) == .directory, FileKind(of: path + "/config.json") != .regular,
        let bytes = try? InputFile(path: path + "/modules.json").bytes,
        let modules = try? JSONValue(parsing: bytes, file: path),
        let folder = modules.array?.first?.object?["path"]?.string,
        isPlainFileName(folder), FileKind(of: path + "/" + folder) == .directory
    else { return path }
    return path + "/" + folder
}
