internal import Foundation
internal import ModelFiles

extension Pooling {
    /// The files with the settings of the transformer, in the order in which Sentence Transformers
    /// looks for them.
    private static let settings = [
        "bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet",
    ].map { "sentence_\($0)_config.json" }

    /// Reads `max_seq_length` from the first of the files with settings that exists.
    ///
    /// - Parameter directory: The directory of the weights.
    /// - Returns: The maximum number of tokens of a text; nil if no file states it.
    /// - Throws: `ModelFileError` if the file is damaged, or the number is not positive.
    static func maximumTokens(inDirectory directory: String) throws(ModelFileError) -> Int? {
        let files = settings.map { directory + "/" + $0 }
        guard let file = files.first(where: FileManager.default.fileExists) else { return nil }
        let members = try JSONValue(parsing: InputFile(path: file).bytes, file: file).object ?? [:]
        guard let value = members["max_seq_length"], value != .null else { return nil }
        guard let tokens = value.integer, tokens > 0 else {
            throw ModelFileError(
                file: file, subject: "max_seq_length",
                problem: String(decoding: value.encoded(), as: UTF8.self)
                    + " is not a positive whole number",
                remedy: "correct it, or remove it: texts are then cut to the model's positions")
        }
        return tokens
    }
}
