public import Foundation
internal import ModelFiles

/// Hugging Face's `tokenizer.json`.
public enum TokenizerFile {
    /// Loads the tokenizer of a model from its directory or from the `tokenizer.json` itself.
    ///
    /// A `tokenizer_config.json` in the same directory names the tokens that open, end and pad a
    /// text.
    ///
    /// - Parameters:
    ///   - url: The directory or file.
    ///   - limit: The number of tokens of the model.
    /// - Returns: The tokenizer, as ``load(contentsOf:configuration:name:limit:)`` returns it.
    /// - Throws: ``TokenizerError``.
    public static func load(
        contentsOf url: URL, limit: Int = .max
    ) throws(TokenizerError) -> any Tokenizer {
        var isDirectory: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory)
        let file =
            exists && isDirectory.boolValue ? url.appendingPathComponent("tokenizer.json") : url
        let configuration =
            file.deletingLastPathComponent().appendingPathComponent("tokenizer_config.json")
        let directory = file.deletingLastPathComponent().path
        let hasFile = FileManager.default.fileExists(atPath: file.path)
        guard hasFile || !FileManager.default.fileExists(atPath: directory) else {
            let others = [
                "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "tokenizer.model",
            ]
            throw .absent(
                directory: directory,
                found: others.filter {
                    FileManager.default.fileExists(atPath: directory + "/" + $0)
                })
        }
        let data: Data
        do {
            data = Data(try InputFile(path: file.path).bytes)
        } catch {
            throw .unreadable(file: file.path, reason: error.problem)
        }
        return try load(
            contentsOf: data, configuration: try? Data(contentsOf: configuration), name: file.path,
            limit: limit)
    }

    /// Loads a tokenizer from the contents of `tokenizer.json`.
    ///
    /// - Parameters:
    ///   - data: The contents of `tokenizer.json`.
    ///   - configuration: The contents of `tokenizer_config.json`, if there is one.
    ///   - name: The name of the file in errors.
    ///   - limit: The number of tokens of the model; added tokens beyond it are ignored.
    /// - Returns: A ``WordPieceTokenizer`` or a ``BytePairTokenizer``.
    /// - Throws: ``TokenizerError`` if the file is damaged, is of an unsupported kind, or has more
    ///   tokens than the model.
    public static func load(
        contentsOf data: Data, configuration: Data? = nil, name: String = "tokenizer.json",
        limit: Int = .max
    ) throws(TokenizerError) -> any Tokenizer {
        let root = try JSONField.root(of: data, file: name)
        var settings: JSONField?
        if let configuration {
            let field = try JSONField.root(of: configuration, file: "tokenizer_config.json")
            try TokenizerSettings.check(field, root)
            settings = field
        }
        let type = root["model"]["type"]
        switch try type.string() {
        case "WordPiece":
            return try WordPieceTokenizer(root, configuration: settings, limit: limit)
        case "BPE": return try BytePairTokenizer(root, configuration: settings, limit: limit)
        default:
            throw .unsupported(
                field: type.path, value: type.shown, supported: ["WordPiece", "BPE"])
        }
    }
}
