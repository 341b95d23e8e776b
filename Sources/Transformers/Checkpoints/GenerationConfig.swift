public import ModelFiles

/// What a `generation_config.json` says of ends of text; chat models name the end of a turn there.
public struct GenerationConfig: Sendable, Equatable {
    /// `eos_token_id`, none or more.
    public let endTokens: [Int]

    /// Reads the file of a model's directory; one that is not there says nothing.
    ///
    /// - Parameter directory: The model's directory.
    /// - Throws: ``ModelFileError`` where it is damaged.
    public init(inDirectory directory: String) throws(ModelFileError) {
        let path = directory + "/generation_config.json"
        guard FileKind(of: path) == .regular else {
            endTokens = []
            return
        }
        guard let members = try JSONValue(parsing: InputFile(path: path).bytes, file: path).object
        else {
            throw ModelFileError(
                file: path, problem: "it is no JSON object",
                remedy: "use the model's original file, or none")
        }
        endTokens = try ConfigFields(file: path, members: members)
            .tokens("eos_token_id", default: [])
    }
}
