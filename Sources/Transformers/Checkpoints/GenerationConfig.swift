public import ModelFiles

/// The end tokens in a `generation_config.json`.
///
/// Chat models list the token that ends a turn there.
public struct GenerationConfig: Sendable, Equatable {
    /// `eos_token_id`: zero or more ids.
    public let endTokens: [Int]

    /// Reads the file in a model's directory.
    ///
    /// If there is no such file, there are no end tokens.
    ///
    /// - Parameter directory: The model's directory.
    /// - Throws: ``ModelFileError`` if the file is damaged.
    public init(inDirectory directory: String) throws(ModelFileError) {
        let path = directory + "/generation_config.json"
        guard FileKind(of: path) == .regular else {
            endTokens = []
            return
        }
        guard let members = try JSONValue(parsing: InputFile(path: path).bytes, file: path).object
        else {
            throw ModelFileError(
                file: path, problem: "it is not a JSON object",
                remedy: "use the model's original file, or remove it")
        }
        endTokens = try ConfigFields(file: path, members: members)
            .tokens("eos_token_id", default: [])
    }
}
