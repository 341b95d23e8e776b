public import Foundation
import ModelFiles

extension BytePairTokenizer {
    /// Returns a `tokenizer.json` that gives the same ids for every text.
    public func huggingFaceJSON() -> Data {
        var ids: [JSONKey: JSONValue] = [:]
        for (id, token) in vocabulary.tokens where vocabulary.id(of: token) == id {
            ids[JSONKey(token)] = .integer(Int(id))
        }
        let model: [JSONKey: JSONValue] = [
            "type": .string("BPE"), "dropout": .null,
            "unk_token": unknown.flatMap { vocabulary.tokens[$0] }.map { .string($0) } ?? .null,
            "continuing_subword_prefix": .null, "end_of_word_suffix": .null,
            "fuse_unk": .bool(fusesUnknown), "byte_fallback": .bool(false),
            "ignore_merges": .bool(keepsWholeWords),
            "vocab": .object(ids),
            "merges": .array(table.merges.map(merge)),
        ]
        let root = JSONValue.object([
            "version": .string("1.0"), "truncation": .null, "padding": .null,
            "added_tokens": .array(added.tokens.map(\.huggingFaceJSON)),
            "normalizer": composes ? .object(["type": .string("NFC")]) : .null,
            "pre_tokenizer": preTokenizer.huggingFaceJSON,
            "post_processor": postProcessor.huggingFaceJSON(naming: token),
            "decoder": .object([
                "type": .string("ByteLevel"), "add_prefix_space": .bool(true),
                "trim_offsets": .bool(true), "use_regex": .bool(true),
            ]),
            "model": .object(model),
        ])
        return Data(root.encoded())
    }

    /// Returns the `tokenizer_config.json` for ``huggingFaceJSON()``.
    ///
    /// - Parameters:
    ///   - maximumLength: The maximum number of tokens of the model.
    ///   - chatTemplate: The chat template, in Jinja.
    /// - Returns: JSON in UTF-8.
    public func huggingFaceConfiguration(
        maximumLength: Int? = nil, chatTemplate: String? = nil
    ) -> Data {
        var members: [JSONKey: JSONValue] = [
            "tokenizer_class": .string("PreTrainedTokenizerFast"),
            "clean_up_tokenization_spaces": .bool(false),
        ]
        members["bos_token"] = beginningOfText.map { .string(token($0)) }
        members["eos_token"] = endOfText.map { .string(token($0)) }
        members["pad_token"] = padding.map { .string(token($0)) }
        members["model_max_length"] = maximumLength.map { .integer($0) }
        members["chat_template"] = chatTemplate.map { .string($0) }
        return Data(JSONValue.object(members).encoded())
    }

    private func token(_ id: Int32) -> String {
        added.tokens.first { $0.id == id }?.content ?? vocabulary.tokens[id] ?? ""
    }

    /// Returns a merge as one string, or as a pair if a space in a token makes the string
    /// ambiguous.
    private func merge(_ merge: MergeTable.Merge) -> JSONValue {
        let left = vocabulary.tokens[merge.left] ?? ""
        let right = vocabulary.tokens[merge.right] ?? ""
        if left.contains(" ") || right.contains(" ") {
            return .array([.string(left), .string(right)])
        }
        return .string("\(left) \(right)")
    }
}

extension AddedToken {
    fileprivate var huggingFaceJSON: JSONValue {
        .object([
            "id": .integer(Int(id)), "content": .string(content),
            "single_word": .bool(isSingleWord), "lstrip": .bool(stripsLeft),
            "rstrip": .bool(stripsRight), "normalized": .bool(isNormalized),
            "special": .bool(isSpecial),
        ])
    }
}

extension PostProcessor {
    /// Returns the value of `post_processor` that adds these tokens; `null` if it adds none.
    fileprivate func huggingFaceJSON(naming name: (Int32) -> String) -> JSONValue {
        if single.count == 1, pair.count == 2 { return .null }
        var special: [JSONKey: JSONValue] = [:]
        func parts(_ parts: [Part]) -> JSONValue {
            .array(
                parts.map { part in
                    let (kind, id, typeID): (JSONKey, String, Int32)
                    switch part {
                    case .first(let type): (kind, id, typeID) = ("Sequence", "A", type)
                    case .second(let type): (kind, id, typeID) = ("Sequence", "B", type)
                    case .tokens(let ids, let type):
                        let names = ids.map(name)
                        (kind, id, typeID) = ("SpecialToken", names.joined(), type)
                        special[JSONKey(id)] = .object([
                            "id": .string(id),
                            "ids": .array(ids.map { .integer(Int($0)) }),
                            "tokens": .array(names.map { .string($0) }),
                        ])
                    }
                    return .object([
                        kind: .object(["id": .string(id), "type_id": .integer(Int(typeID))])
                    ])
                })
        }
        return .object([
            "type": .string("TemplateProcessing"), "single": parts(single),
            "pair": parts(pair), "special_tokens": .object(special),
        ])
    }
}
