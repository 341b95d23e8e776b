import Foundation
import ModelFiles
import Tensors
import Testing

@testable import Tokenizers

@Suite("Damaged tokenizer.json")
struct DamagedFileTests {
    private static let wordPiece = #"""
        {"truncation":null,"added_tokens":[{"id":1,"content":"[CLS]","special":true,"lstrip":true,
        "rstrip":true,"single_word":true,"normalized":true},{"id":2,"content":"[SEP]"}],
        "normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,
        "strip_accents":null,"lowercase":true},"pre_tokenizer":{"type":"BertPreTokenizer"},
        "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[CLS]",
        "type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[{"Sequence":{"id":"A","type_id":0}},
        {"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"[CLS]":{"ids":[1]}}},
        "decoder":{"type":"WordPiece","prefix":"##","cleanup":true},"model":{"type":"WordPiece",
        "unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,
        "vocab":{"[UNK]":0,"[CLS]":1,"[SEP]":2,"a":3,"##b":4,"\u00e9":5}}}
        """#
    private static let bytePair = #"""
        {"added_tokens":[{"id":5,"content":"<s>","special":true,"rstrip":true}],"normalizer":{"type":
        "NFC"},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Digits",
        "individual_digits":true},{"type":"ByteLevel","add_prefix_space":true,"use_regex":true}]},
        "post_processor":{"type":"RobertaProcessing","sep":["<s>",5],"cls":["<s>",5]},"decoder":null,
        "model":{"type":"BPE","dropout":null,"unk_token":"a","fuse_unk":true,"ignore_merges":true,
        "vocab":{"a":0,"b":1,"\u0120":2,"ab":3,"\u0120ab":4},"merges":["a b",["\u0120","ab"]]}}
        """#

    @Test("the undamaged files can be loaded")
    func undamaged() throws {
        let wordPiece = try TokenizerFile.load(contentsOf: Data(Self.wordPiece.utf8))
        #expect(wordPiece.encode("ab \u{E9}", addingSpecialTokens: true) == [1, 3, 4, 0])
        let bytePair = try TokenizerFile.load(contentsOf: Data(Self.bytePair.utf8))
        #expect(bytePair.encode("ab ", addingSpecialTokens: true) == [5, 4, 2, 5])
    }

    @Test(
        "a file with changed, removed or copied bytes gives an error or a working tokenizer",
        arguments: [wordPiece, bytePair])
    func bytes(file: String) {
        let original = Array(file.utf8)
        let inserted = Array("{}[]\",:0123456789-eE\\utrfn\u{7F}".utf8) + [0, 0x80, 0xFF]
        for seed in 0..<1500 as Range<UInt64> {
            var random = SplitMix64(seed: seed)
            var bytes = original
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<5, using: &random) {
                case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 1: bytes[place] = inserted.randomElement(using: &random) ?? 0
                case 2: bytes.insert(inserted.randomElement(using: &random) ?? 0, at: place)
                case 3:
                    bytes.removeSubrange(
                        place..<min(
                            bytes.count, place + Int.random(in: 1...20, using: &random)))
                default:
                    bytes.insert(contentsOf: bytes[place...].prefix(40), at: place)
                }
                if bytes.isEmpty { bytes = [0x7B] }
            }
            exercise(Data(bytes))
        }
        for length in stride(from: 0, to: original.count, by: 7) {
            exercise(Data(original.prefix(length)))
        }
    }

    @Test(
        "a file with replaced values gives an error or a working tokenizer",
        arguments: [wordPiece, bytePair])
    func values(file: String) throws {
        let root = try JSONField.root(of: Data(file.utf8), file: "file").value
        let replacements: [JSONValue] = [
            .null, .bool(true), .integer(-1), .integer(2_147_483_647), .number(1e18), .number(0.5),
            .string(""), .string("a"), .string("##"), .string("ByteLevel"), .string("Sequence"),
            .string("\u{301}"), .array([]), .object([:]), .array([.null]),
            .object(["type": .string("ByteLevel")]),
        ]
        for seed in 0..<800 as Range<UInt64> {
            var random = SplitMix64(seed: seed)
            let replacement = replacements.randomElement(using: &random) ?? .null
            var countdown = Int.random(in: 0..<80, using: &random)
            exercise(Data(replaced(root, by: replacement, after: &countdown).encoded()))
        }
    }

    /// Returns the value after replacing part number `countdown`, in the order of the keys.
    private func replaced(
        _ value: JSONValue, by other: JSONValue, after countdown: inout Int
    ) -> JSONValue {
        countdown -= 1
        if countdown == -1 { return other }
        switch value {
        case .array(let values):
            return .array(values.map { replaced($0, by: other, after: &countdown) })
        case .object(var members):
            for key in members.keys.sorted() {
                members[key] = replaced(members[key] ?? .null, by: other, after: &countdown)
            }
            return .object(members)
        default: return value
        }
    }

    /// Loads a file.
    ///
    /// If this succeeds, calls every function of the tokenizer.
    private func exercise(_ data: Data) {
        guard let tokenizer = try? TokenizerFile.load(contentsOf: data, configuration: data) else {
            return
        }
        let text = "ab1 <s> [CLS]  abé\u{301}'s\n\n  中🌳\u{0}"
        let ids = tokenizer.encode(text, addingSpecialTokens: true)
        let pair = tokenizer.encode(text, pair: "")
        #expect(pair.ids.count == pair.typeIDs.count)
        #expect((ids + pair.ids).allSatisfy { $0 >= 0 && Int($0) < tokenizer.vocabularySize })
        _ = tokenizer.decode(ids + [-1, 0, 7, .max, .min])
        if let bytePair = tokenizer as? BytePairTokenizer {
            let again = try? TokenizerFile.load(contentsOf: bytePair.huggingFaceJSON())
            #expect(again?.encode(text, addingSpecialTokens: true) == ids)
        }
    }
}
