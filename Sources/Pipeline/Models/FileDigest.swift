internal import Foundation
internal import ModelFiles
internal import Tensors
internal import Transformers

/// Digests of the files that a run depends on.
enum FileDigest {
    /// Returns the files of a model that contain its weights, sizes and tokenizer.
    static func modelFiles(_ path: String) throws -> [String] {
        var isDirectory: ObjCBool = false
        _ = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
        guard isDirectory.boolValue else { return [path] }
        let path = transformerDirectory(path)
        return try FileManager.default.contentsOfDirectory(atPath: path)
            .filter {
                $0.hasSuffix(".safetensors") || $0 == "config.json"
                    || Checkpoint.tokenizerFileNames.contains($0)
            }
            .sorted().map { path + "/" + $0 }
    }

    /// Returns the digest of a file, which may be larger than memory.
    static func of(_ path: String) throws -> String { try of(InputFile(path: path)) }

    /// Returns the digest of an open file.
    static func of(_ file: InputFile) throws(ModelFileError) -> String {
        var digest = SHA256()
        try file.visit(0..<file.count) { digest.update($0) }
        return digest.hexDigest
    }

    /// Returns the digests of the training data and the evaluation set, by option.
    ///
    /// The digests of files of records begin with `records`.
    static func ofTrainingFiles(
        text: [String], task: String?, validation: String?
    ) throws -> [String: String] {
        var files = text.enumerated().map { ("--text \($0 + 1)", $1) }
        files += [("--task", task), ("--validation", validation)].compactMap { option, path in
            path.map { (option, $0) }
        }
        return try files.reduce(into: [:]) { digests, file in
            let kind = RecordFile.isNamed(file.1) ? "records " : ""
            digests[file.0] = kind + (try of(file.1))
        }
    }

    /// Returns the digests of all files of a model, separated by spaces.
    static func ofModel(_ path: String) throws -> String {
        try modelFiles(path).map(of).joined(separator: " ")
    }
}
