import ModelFiles

/// The reason why a tokenizer cannot be used.
public enum TokenizerError: Error, Equatable, CustomStringConvertible {
    /// A file cannot be read.
    case unreadable(file: String, reason: String)

    /// A directory has no `tokenizer.json`.
    ///
    /// `found` are other files of the directory from which `tokenizer.json` can be made.
    case absent(directory: String, found: [String])

    /// A field is absent or has an invalid value.
    case malformed(field: String, problem: String)

    /// A field requires something that is not implemented.
    case unsupported(field: String, value: String, supported: [String])

    /// Two files of a tokenizer disagree.
    case contradiction(field: String, value: String, other: String)

    /// A vocabulary has more tokens than the model.
    case foreign(field: String, tokens: Int, limit: Int)

    /// A GGUF file names a pre-tokenizer that is not implemented.
    case unknownPreTokenizer(name: String, known: [String])

    /// The place, the problem and the remedy.
    public var description: String {
        switch self {
        case .unreadable(let file, let reason):
            "cannot read \(file): \(reason); check the path and its permissions"
        case .absent(let directory, let found):
            Self.absence(
                directory.unicodeScalars.map { $0.escaped(asASCII: false) }.joined(), found)
        case .malformed(let field, let problem):
            "\(field): \(problem); the file is damaged, fetch it again"
        case .unsupported(let field, let value, let supported):
            "\(field): \(value) is not supported, only \(supported.joined(separator: " or ")); use a "
                + "model with a byte-level BPE tokenizer, as Llama 3, Qwen and SmolLM have, or a "
                + "WordPiece tokenizer, as BERT has"
        case .contradiction(let field, let value, let other):
            "\(field): it is \(value), but \(other) has another value; make tokenizer.json again "
                + "with transformers (AutoTokenizer, save_pretrained), or correct the wrong file"
        case .foreign(let field, let tokens, let limit):
            "\(field): it has \(tokens) tokens, but the model has only \(limit); use the "
                + "tokenizer that belongs to the model"
        case .unknownPreTokenizer(let name, let known):
            "tokenizer.ggml.pre: \(quoted(name)) is not supported, only "
                + known.joined(separator: ", ") + "; use the model's Hugging Face directory, or a "
                + "GGUF file with a supported pre-tokenizer"
        }
    }

    private static func absence(_ directory: String, _ found: [String]) -> String {
        guard !found.isEmpty else {
            return "\(directory): it has no tokenizer.json; fetch the tokenizer.json of the model"
        }
        return "\(directory): it has no tokenizer.json, only \(found.joined(separator: ", ")); "
            + "make tokenizer.json with: python -c \"from transformers import AutoTokenizer as t; "
            + "t.from_pretrained('\(directory)').save_pretrained('\(directory)')\""
    }
}
