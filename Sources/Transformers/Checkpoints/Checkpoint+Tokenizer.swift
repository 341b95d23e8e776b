public import Foundation
public import ModelFiles
public import Tokenizers

/// The files that carry a model's tokenizer in a Hugging Face directory.
public typealias TokenizerFiles = [String: Data]

extension Checkpoint {
    /// Loads the model's tokenizer.
    ///
    /// - Returns: The tokenizer, from `tokenizer.json` or from GGUF metadata.
    /// - Throws: `TokenizerError` or `ModelFileError` where it is missing, damaged or unknown.
    public func tokenizer() throws -> any Tokenizer {
        guard let gguf else {
            return try TokenizerFile.load(
                contentsOf: URL(fileURLWithPath: directory), limit: shape.vocabularySize)
        }
        return try bytePairTokenizer(gguf)
    }

    /// The tokens that end a text: the tokenizer's, those of `config.json` or GGUF metadata, and
    /// those of `generation_config.json`.
    ///
    /// - Parameter tokenizer: The model's tokenizer.
    /// - Returns: The ids, each once.
    /// - Throws: `ModelFileError` where a file is damaged.
    public func endTokens(
        with tokenizer: some Tokenizer
    ) throws(ModelFileError) -> Set<Int32> {
        let ids = try config.endTokens + GenerationConfig(inDirectory: directory).endTokens
        let ends = Set(ids.compactMap(Int32.init(exactly:)))
        return tokenizer.endOfText.map { ends.union([$0]) } ?? ends
    }

    /// The tokenizer's files, copied, or made from GGUF metadata.
    ///
    /// - Returns: Contents by file name.
    /// - Throws: What reading or making them throws.
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

    /// The files beside a model's weights and configuration that belong to it.
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
        // Files of this kind say nothing of it, and llama.cpp adds it.
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
