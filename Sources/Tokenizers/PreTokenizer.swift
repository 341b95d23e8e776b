import ModelFiles

/// The splitting of text into words.
///
/// Bytes are merged only within a word.
struct PreTokenizer: Sendable {
    /// One step, which splits every piece of the previous step.
    enum Step: Sendable, Equatable {
        /// Separates numbers from other text, as runs of digits or digit by digit.
        case digits(individually: Bool)
        /// Puts a space before every piece that does not start with one.
        case prefixSpace
        /// Splits into the matches of a pattern.
        case split(WordPattern)
    }

    let steps: [Step]

    /// Calls `body` with every word of a text, in order.
    func forEachWord(of text: [UInt8], _ body: (ArraySlice<UInt8>) -> Void) {
        let text = ClassifiedText(text)
        split(text, from: 0, to: text.bytes.count, by: steps[...], body)
    }

    private func split(
        _ text: ClassifiedText, from start: Int, to limit: Int, by steps: ArraySlice<Step>,
        _ body: (ArraySlice<UInt8>) -> Void
    ) {
        guard let step = steps.first else {
            if start < limit { body(text.bytes[start..<limit]) }
            return
        }
        let later = steps.dropFirst()
        if step == .prefixSpace {
            if start < limit, text.bytes[start] != 0x20 {
                let prefixed = ClassifiedText([0x20] + text.bytes[start..<limit])
                split(prefixed, from: 0, to: prefixed.bytes.count, by: later, body)
            } else {
                split(text, from: start, to: limit, by: later, body)
            }
            return
        }
        var position = start
        while position < limit {
            let end =
                switch step {
                case .digits(let individually):
                    Self.endOfPiece(in: text, from: position, to: limit, individually)
                case .split(let pattern):
                    pattern.endOfWord(in: text, from: position, to: limit)
                case .prefixSpace: limit
                }
            split(text, from: position, to: end, by: later, body)
            position = end
        }
    }

    /// Returns the end of a number, or of the text before the next number.
    private static func endOfPiece(
        in text: ClassifiedText, from start: Int, to limit: Int, _ individually: Bool
    ) -> Int {
        let isNumber = text.classes[start] == .number
        if isNumber, individually { return text.bytes.endOfScalar(at: start) }
        var end = start
        while end < limit, (text.classes[end] == .number) == isNumber { end += 1 }
        return end
    }
}

extension PreTokenizer {
    /// The pre-tokenizers of GGUF files, by llama.cpp's names.
    ///
    /// `default` is split like `gpt-2`. llama.cpp splits punctuation further for `default`.
    private static let named: [String: [Step]] = [
        "default": [.split(.gpt2)],
        "gpt-2": [.split(.gpt2)],
        "llama-bpe": [.split(.llama3)],
        "qwen2": [.split(.qwen2)],
        "smollm": [.digits(individually: true), .split(.gpt2)],
    ]

    /// Finds a pre-tokenizer by llama.cpp's name.
    init(named name: String) throws(TokenizerError) {
        guard let steps = Self.named[name] else {
            throw .unknownPreTokenizer(name: name, known: Self.named.keys.sorted())
        }
        self.steps = steps
    }

    /// llama.cpp's name of this pre-tokenizer; nil if none is known.
    var name: String? {
        Self.named.filter { $0.key != "default" && $0.value == steps }.keys.sorted().first
    }

    /// Reads `pre_tokenizer` of a `tokenizer.json`.
    init(_ field: JSONField) throws(TokenizerError) {
        var fields = [field]
        if case .string("Sequence") = field["type"].value {
            fields = try field["pretokenizers"].elements()
        }
        var steps: [Step] = []
        var isByteLevel = false
        for field in fields {
            guard !isByteLevel else { throw field.malformed("expected nothing after ByteLevel") }
            switch field.isNull ? "null" : try field["type"].string() {
            case "Digits":
                steps.append(
                    .digits(individually: try field["individual_digits"].boolean(default: false)))
            case "Split":
                steps.append(.split(try Self.pattern(field)))
            case "ByteLevel":
                isByteLevel = true
                if try field["add_prefix_space"].boolean(default: true) {
                    steps.append(.prefixSpace)
                }
                if try field["use_regex"].boolean(default: true) { steps.append(.split(.gpt2)) }
            case let other:
                throw .unsupported(
                    field: field.path, value: quoted(other),
                    supported: ["Digits", "Split", "ByteLevel"])
            }
        }
        guard isByteLevel else {
            throw .unsupported(
                field: field.path, value: "a pre-tokenizer without ByteLevel",
                supported: ["ByteLevel"])
        }
        self.steps = steps
    }

    private static func pattern(_ field: JSONField) throws(TokenizerError) -> WordPattern {
        let regex = field["pattern"]["Regex"]
        guard let pattern = WordPattern(rawValue: try regex.string()) else {
            throw .unsupported(
                field: regex.path, value: regex.shown,
                supported: ["the pattern of GPT-2", "of Llama 3", "of Qwen 2", "of BLOOM"])
        }
        let behavior = try field["behavior"].string()
        let inverted = try field["invert"].boolean(default: false)
        guard behavior == "Isolated" || (behavior == "Removed" && inverted) else {
            throw .unsupported(
                field: field["behavior"].path, value: quoted(behavior), supported: ["Isolated"])
        }
        return pattern
    }

    /// The value of `pre_tokenizer` that splits in the same way.
    var huggingFaceJSON: JSONValue {
        var steps = steps[...]
        let usesRegex = steps.last == .split(.gpt2)
        if usesRegex { steps.removeLast() }
        let addsSpace = steps.last == .prefixSpace
        if addsSpace { steps.removeLast() }
        var parts: [JSONValue] = []
        for step in steps {
            switch step {
            case .digits(let individually):
                parts.append(
                    .object([
                        "type": .string("Digits"), "individual_digits": .bool(individually),
                    ]))
            case .split(let pattern):
                parts.append(
                    .object([
                        "type": .string("Split"),
                        "pattern": .object(["Regex": .string(pattern.rawValue)]),
                        "behavior": .string("Isolated"), "invert": .bool(false),
                    ]))
            case .prefixSpace: continue
            }
        }
        parts.append(
            .object([
                "type": .string("ByteLevel"), "add_prefix_space": .bool(addsSpace),
                "trim_offsets": .bool(true), "use_regex": .bool(usesRegex),
            ]))
        if parts.count == 1 { return parts[0] }
        return .object(["type": .string("Sequence"), "pretokenizers": .array(parts)])
    }
}
