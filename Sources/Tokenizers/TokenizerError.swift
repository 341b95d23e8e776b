/// Why a vocabulary cannot be used.
public enum TokenizerError: Error, Equatable, CustomStringConvertible {
    /// A file cannot be read.
    case unreadable(file: String, reason: String)

    /// A field is missing or holds something that it cannot.
    case malformed(field: String, problem: String)

    /// A field asks for something that is not implemented.
    case unsupported(field: String, value: String, supported: [String])

    /// A vocabulary has more tokens than the model.
    case foreign(field: String, tokens: Int, limit: Int)

    /// A GGUF file names a pre-tokenizer that is not implemented.
    case unknownPreTokenizer(name: String, known: [String])

    /// What is wrong, where, and what to do about it.
    public var description: String {
        switch self {
        case .unreadable(let file, let reason):
            "cannot read \(file): \(reason); check the path and its permissions"
        case .malformed(let field, let problem):
            "\(field): \(problem); the file is damaged, fetch it again"
        case .unsupported(let field, let value, let supported):
            "\(field): \(value) is not supported; use a tokenizer with one of: "
                + supported.joined(separator: ", ")
        case .foreign(let field, let tokens, let limit):
            "\(field): its \(tokens) tokens are more than the \(limit) of the model; use the "
                + "tokenizer that belongs to the model"
        case .unknownPreTokenizer(let name, let known):
            "tokenizer.ggml.pre: unknown pre-tokenizer \"\(name)\"; known are: "
                + known.joined(separator: ", ")
        }
    }
}
