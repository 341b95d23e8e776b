import Foundation
import Testing

@testable import Tokenizers

@Suite("Settings of tokenizer_config.json") struct TokenizerSettingsTests {
    private func load(_ tokenizer: String, _ settings: String) throws {
        _ = try TokenizerFile.load(
            contentsOf: Data(tokenizer.utf8), configuration: Data(settings.utf8))
    }

    private func wordPiece(lowercase: Bool) -> String {
        """
        {"model": {"type": "WordPiece", "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3},
          "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100},
         "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
          "strip_accents": null, "lowercase": \(lowercase)},
         "pre_tokenizer": {"type": "BertPreTokenizer"},
         "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]}}
        """
    }

    @Test("settings that contradict tokenizer.json give an error that names them")
    func contradictions() throws {
        for lowercase in [false, true] {
            let tokenizer = wordPiece(lowercase: lowercase)
            let other = "{\"do_lower_case\": \(!lowercase), \"tokenizer_class\": \"BertTokenizer\"}"
            let error = #expect(throws: TokenizerError.self) { try load(tokenizer, other) }
            #expect(error?.description.contains("do_lower_case") == true)
            #expect(error?.description.contains("lowercase") == true)
            try load(tokenizer, "{\"do_lower_case\": \(lowercase), \"strip_accents\": null}")
            try load(tokenizer, "{}")
            try load(
                tokenizer,
                "{\"do_lower_case\": \(!lowercase), "
                    + "\"tokenizer_class\": \"PreTrainedTokenizerFast\"}")
        }
    }

    @Test("the error for a directory without tokenizer.json says how to create the file")
    func absent() throws {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("espalier-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        func message() -> String {
            let error = #expect(throws: TokenizerError.self) {
                try TokenizerFile.load(contentsOf: directory)
            }
            return error?.description ?? ""
        }
        #expect(message().contains("holds no tokenizer.json; fetch"))
        for name in ["vocab.json", "merges.txt"] {
            try Data("{}".utf8).write(to: directory.appendingPathComponent(name))
        }
        #expect(message().contains("only vocab.json, merges.txt"))
        #expect(message().contains("AutoTokenizer"))
    }
}
