public import Foundation
public import ModelFiles
public import Tokenizers

/// The contents of the tokenizer files of a Hugging Face directory, keyed by file name.
public typealias TokenizerFiles = [String: Data]

extension Checkpoint {
    /// Loads the model's tokenizer.
    ///
    /// - Returns: The tokenizer, from `tokenizer.json` or from GGUF metadata.
    /// - Throws: `TokenizerError` or `ModelFileError` if the tokenizer is missing, damaged or of an
    ///   unsupported kind.
    public func tokenizer() throws -> any Tokenizer {
        guard let gguf else {
            return try TokenizerFile.load(
                contentsOf: URL(fileURLWithPath: directory), limit: shape.vocabularySize)
        }
        return try bytePairTokenizer(gguf)
    }

    /// The ids of the tokens that end a text.
    ///
    /// They are the union of the tokenizer's end token, those of `config.json` or of the GGUF
    /// metadata, and those of `generation_config.json`.
    ///
    /// - Parameter tokenizer: The model's tokenizer.
    /// - Returns: The ids.
    /// - Throws: `ModelFileError` if a file is damaged.
    public func endTokens(
        with tokenizer: some Tokenizer
    ) throws(ModelFileError) -> Set<Int32> {
        let ids = try config.endTokens + GenerationConfig(inDirectory: directory).endTokens
        let ends = Set(ids.compactMap(Int32.init(exactly:)))
        return tokenizer.endOfText.map { ends.union([$0]) } ?? ends
    }

    /// The contents of the tokenizer files, read from the directory or made from GGUF metadata.
    ///
    /// - Returns: The contents, keyed by file name. Files that do not exist are absent.
    /// - Throws: An error if the tokenizer in the GGUF metadata is missing, damaged or of an
    ///   unsupported kind.
    public func tokenizerFiles() throws -> TokenizerFiles {
        guard let gguf else {
            var files: TokenizerFiles = [:]
            for name in Self.tokenizerFileNames {
                let url = URL(fileURLWithPath: directory).appendingPathComponent(name)
                files[name] = try? Data(contentsOf: url)
            }
            return files
        }
        let tokenizer = try bytePairTokenizer(gguf)
        return [
            "tokenizer.json": tokenizer.huggingFaceJSON(),
            "tokenizer_config.json": tokenizer.huggingFaceConfiguration(
                maximumLength: config.maximumPositions,
                chatTemplate: try? gguf.string("tokenizer.chat_template")),
        ]
    }

    /// The names of the files of a model other than its weights and its configuration.
    public static let tokenizerFileNames = [
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt",
        "vocab.json", "merges.txt", "added_tokens.json", "chat_template.jinja",
        "generation_config.json",
    ]

    private func bytePairTokenizer(_ gguf: GGUFFile) throws -> BytePairTokenizer {
        let model = try gguf.string("tokenizer.ggml.model")
        guard model == "gpt2" else {
            throw ModelFileError(
                file: path, subject: "tokenizer.ggml.model",
                problem: "\(quoted(model)) is not supported",
                remedy: "use a model with a byte-level BPE tokenizer (\"gpt2\")")
        }
        func id(_ name: String) throws -> Int32? {
            let key = "tokenizer.ggml.\(name)_token_id"
            guard gguf.metadata[key] != nil else { return nil }
            return Int32(exactly: try gguf.integer(key))
        }
        let tokens = try gguf.strings("tokenizer.ggml.tokens")
        guard tokens.count <= shape.vocabularySize else {
            throw TokenizerError.foreign(
                field: "tokenizer.ggml.tokens", tokens: tokens.count, limit: shape.vocabularySize)
        }
        let types = "tokenizer.ggml.token_type"
        let adds = "tokenizer.ggml.add_bos_token"
        // Files with this pre-tokenizer may lack `add_bos_token`. llama.cpp then adds the token.
        let isAdded = try gguf.string("tokenizer.ggml.pre") == "llama-bpe" && id("bos") != nil
        return try BytePairTokenizer(
            tokens: tokens,
            tokenTypes: gguf.metadata[types] == nil ? nil : try gguf.integers(types),
            merges: try gguf.strings("tokenizer.ggml.merges"),
            preTokenizer: try gguf.string("tokenizer.ggml.pre"),
            beginningOfText: try id("bos"), endOfText: try id("eos"), padding: try id("padding"),
            addsBeginning: gguf.metadata[adds] == nil ? isAdded : try gguf.bool(adds))
    }
}
