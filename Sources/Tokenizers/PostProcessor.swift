import ModelFiles

/// The special tokens that a model expects around one or two texts.
struct PostProcessor: Sendable {
    /// A part of the finished sequence, with its token type id.
    enum Part: Sendable {
        case first(typeID: Int32)
        case second(typeID: Int32)
        case tokens([Int32], typeID: Int32)
    }

    var single: [Part] = [.first(typeID: 0)]
    var pair: [Part] = [.first(typeID: 0), .second(typeID: 1)]

    /// Returns the ids of one or two texts with the template's special tokens.
    func apply(_ first: [Int32], _ second: [Int32]? = nil) -> PairEncoding {
        var encoding = PairEncoding(ids: [], typeIDs: [])
        for part in second == nil ? single : pair {
            let (ids, typeID) =
                switch part {
                case .first(let typeID): (first, typeID)
                case .second(let typeID): (second ?? [], typeID)
                case .tokens(let ids, let typeID): (ids, typeID)
                }
            encoding.ids += ids
            encoding.typeIDs += [Int32](repeating: typeID, count: ids.count)
        }
        return encoding
    }

    /// The first token that is put before a text; nil if there is none.
    var opening: Int32? {
        if case .tokens(let ids, _)? = single.first { ids.first } else { nil }
    }
}

extension PostProcessor {
    /// Reads `post_processor` of a `tokenizer.json`.
    init(_ field: JSONField) throws(TokenizerError) {
        self.init()
        if field.isNull { return }
        switch try field["type"].string() {
        case "TemplateProcessing":
            let special = field["special_tokens"]
            single = try Self.parts(field["single"], special)
            pair = try Self.parts(field["pair"], special)
        case "BertProcessing":
            let (open, close) = (try Self.token(field["cls"]), try Self.token(field["sep"]))
            single = [.tokens([open], typeID: 0), .first(typeID: 0), .tokens([close], typeID: 0)]
            pair = single + [.second(typeID: 1), .tokens([close], typeID: 1)]
        case "RobertaProcessing":
            let (open, close) = (try Self.token(field["cls"]), try Self.token(field["sep"]))
            single = [.tokens([open], typeID: 0), .first(typeID: 0), .tokens([close], typeID: 0)]
            pair =
                single + [
                    .tokens([close], typeID: 0), .second(typeID: 0), .tokens([close], typeID: 0),
                ]
        case "ByteLevel":
            return
        case "Sequence":
            var hasTemplate = false
            for processor in try field["processors"].elements() {
                if try processor["type"].string() == "ByteLevel" { continue }
                guard !hasTemplate else {
                    throw .unsupported(
                        field: field.path, value: "a sequence of several templates",
                        supported: ["a sequence with one template"])
                }
                hasTemplate = true
                try self.init(processor)
            }
        case let other:
            throw .unsupported(
                field: field.path, value: quoted(other),
                supported: [
                    "TemplateProcessing", "BertProcessing", "RobertaProcessing", "ByteLevel",
                ])
        }
    }

    /// Throws an error if a template has an id that no token has.
    func requireIDs(below size: Int, _ field: JSONField) throws(TokenizerError) {
        for case .tokens(let ids, _) in single + pair {
            guard let id = ids.first(where: { Int($0) >= size }) else { continue }
            throw field.malformed("id \(id) is outside the \(size) ids of the vocabulary")
        }
    }

    /// Reads the id from a pair of the text and the id of a token.
    private static func token(_ field: JSONField) throws(TokenizerError) -> Int32 {
        let pair = try field.elements()
        guard pair.count == 2 else { throw field.malformed("expected a token and its id") }
        return try pair[1].integer()
    }

    private static func parts(
        _ field: JSONField, _ special: JSONField
    ) throws(TokenizerError) -> [Part] {
        var parts: [Part] = []
        for piece in try field.elements() {
            let sequence = piece["Sequence"]
            if sequence.isNull {
                let token = piece["SpecialToken"]
                var ids: [Int32] = []
                for id in try special[try token["id"].string()]["ids"].elements() {
                    ids.append(try id.integer())
                }
                parts.append(.tokens(ids, typeID: try token["type_id"].integer()))
            } else {
                let typeID = try sequence["type_id"].integer()
                switch try sequence["id"].string() {
                case "A": parts.append(.first(typeID: typeID))
                case "B": parts.append(.second(typeID: typeID))
                default: throw sequence.malformed("expected the sequence A or B")
                }
            }
        }
        return parts
    }
}
