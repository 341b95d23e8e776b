public import Foundation

extension BytePairTokenizer {
    /// Returns a `tokenizer.json` that makes the same ids of every text.
    public func huggingFaceJSON() -> Data {
        let tokens = vocabulary.tokens.sorted { $0.key < $1.key }
        let model: [(key: String, value: JSON)] = [
            ("type", .string("BPE")), ("dropout", .null),
            ("unk_token", unknown.flatMap { vocabulary.tokens[$0] }.map { .string($0) } ?? .null),
            ("continuing_subword_prefix", .null), ("end_of_word_suffix", .null),
            ("fuse_unk", .boolean(fusesUnknown)), ("byte_fallback", .boolean(false)),
            ("ignore_merges", .boolean(keepsWholeWords)),
            ("vocab", .object(tokens.map { ($0.value, .number(Double($0.key))) })),
            ("merges", .array(table.merges.map(merge))),
        ]
        let root = JSON.object([
            ("version", .string("1.0")), ("truncation", .null), ("padding", .null),
            ("added_tokens", .array(added.tokens.map(\.huggingFaceJSON))),
            ("normalizer", composes ? .object([("type", .string("NFC"))]) : .null),
            ("pre_tokenizer", preTokenizer.huggingFaceJSON),
            ("post_processor", postProcessor.huggingFaceJSON(naming: token)),
            (
                "decoder",
                .object([
                    ("type", .string("ByteLevel")), ("add_prefix_space", .boolean(true)),
                    ("trim_offsets", .boolean(true)), ("use_regex", .boolean(true)),
                ])
            ),
            ("model", .object(model)),
        ])
        return Data(root.encoded)
    }

    /// Returns the `tokenizer_config.json` that goes with ``huggingFaceJSON()``.
    ///
    /// - Parameters:
    ///   - maximumLength: The greatest number of tokens that the model takes.
    ///   - chatTemplate: The Jinja template of its conversations.
    /// - Returns: JSON in UTF-8.
    public func huggingFaceConfiguration(
        maximumLength: Int? = nil, chatTemplate: String? = nil
    ) -> Data {
        var members: [(key: String, value: JSON)] = [
            ("tokenizer_class", .string("PreTrainedTokenizerFast")),
            ("clean_up_tokenization_spaces", .boolean(false)),
        ]
        for (key, id) in [
            ("bos_token", beginningOfText), ("eos_token", endOfText), ("pad_token", padding),
        ] {
            if let id { members.append((key, .string(token(id)))) }
        }
        if let maximumLength {
            members.append(("model_max_length", .number(Double(maximumLength))))
        }
        if let chatTemplate { members.append(("chat_template", .string(chatTemplate))) }
        return Data(JSON.object(members).encoded)
    }

    private func token(_ id: Int32) -> String {
        added.tokens.first { $0.id == id }?.content ?? vocabulary.tokens[id] ?? ""
    }

    /// A merge as one string; as a pair where a blank in a token would make that ambiguous.
    private func merge(_ merge: MergeTable.Merge) -> JSON {
        let left = vocabulary.tokens[merge.left] ?? ""
        let right = vocabulary.tokens[merge.right] ?? ""
        if left.contains(" ") || right.contains(" ") {
            return .array([.string(left), .string(right)])
        }
        return .string("\(left) \(right)")
    }
}

extension AddedToken {
    fileprivate var huggingFaceJSON: JSON {
        .object([
            ("id", .number(Double(id))), ("content", .string(content)),
            ("single_word", .boolean(isSingleWord)), ("lstrip", .boolean(stripsLeft)),
            ("rstrip", .boolean(stripsRight)), ("normalized", .boolean(isNormalized)),
            ("special", .boolean(isSpecial)),
        ])
    }
}

extension PostProcessor {
    /// The value of `post_processor` with this effect; `null` where nothing is added.
    fileprivate func huggingFaceJSON(naming name: (Int32) -> String) -> JSON {
        if single.count == 1, pair.count == 2 { return .null }
        var special: [String: JSON] = [:]
        func parts(_ parts: [Part]) -> JSON {
            .array(
                parts.map { part in
                    let (kind, id, typeID): (String, String, Int32)
                    switch part {
                    case .first(let type): (kind, id, typeID) = ("Sequence", "A", type)
                    case .second(let type): (kind, id, typeID) = ("Sequence", "B", type)
                    case .tokens(let ids, let type):
                        let names = ids.map(name)
                        (kind, id, typeID) = ("SpecialToken", names.joined(), type)
                        special[id] = .object([
                            ("id", .string(id)),
                            ("ids", .array(ids.map { .number(Double($0)) })),
                            ("tokens", .array(names.map { .string($0) })),
                        ])
                    }
                    return .object([
                        (
                            kind,
                            .object([("id", .string(id)), ("type_id", .number(Double(typeID)))])
                        )
                    ])
                })
        }
        return .object([
            ("type", .string("TemplateProcessing")), ("single", parts(single)),
            ("pair", parts(pair)),
            (
                "special_tokens",
                .object(special.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
            ),
        ])
    }
}
