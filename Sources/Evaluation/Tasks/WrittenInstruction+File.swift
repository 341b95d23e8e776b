internal import ModelFiles

extension WrittenInstruction {
    /// Reads an instruction of a published file of IFEval.
    ///
    /// - Parameters:
    ///   - name: The name of the instruction, such as `keywords:existence`.
    ///   - arguments: Its arguments. A null counts as absent.
    ///   - prompt: The prompt of the item.
    ///   - fault: Returns the error for a problem of the line.
    /// - Throws: The error of `fault` if the name is unknown or an argument is missing.
    init(
        _ name: String, _ arguments: [JSONKey: JSONValue], prompt: String,
        fault: @escaping (String) -> ModelFileError
    ) throws(ModelFileError) {
        let fields = InstructionFields(name: name, arguments: arguments, fault: fault)
        self =
            switch name {
            case "keywords:existence": .keywords(try fields.texts("keywords"))
            case "keywords:frequency":
                .keywordCount(
                    try fields.text("keyword"), try fields.amount("frequency", "relation"))
            case "keywords:forbidden_words":
                .forbiddenWords(try fields.texts("forbidden_words"))
            case "keywords:letter_frequency":
                .letterCount(
                    try fields.text("letter"), try fields.amount("let_frequency", "let_relation"))
            case "language:response_language": .language
            case "length_constraints:number_sentences":
                .sentences(try fields.amount("num_sentences", "relation"))
            case "length_constraints:number_paragraphs":
                .paragraphs(try fields.number("num_paragraphs"))
            case "length_constraints:number_words":
                .words(try fields.amount("num_words", "relation"))
            case "length_constraints:nth_paragraph_first_word":
                .firstWord(
                    try fields.text("first_word"),
                    paragraph: try fields.number("nth_paragraph", atLeast: 1),
                    of: try fields.number("num_paragraphs"))
            case "detectable_content:number_placeholders":
                .placeholders(try fields.number("num_placeholders"))
            case "detectable_content:postscript":
                .postscript(try fields.text("postscript_marker"))
            case "detectable_format:number_bullet_lists":
                .bullets(try fields.number("num_bullets"))
            case "detectable_format:constrained_response": .givenAnswer
            case "detectable_format:number_highlighted_sections":
                .highlights(try fields.number("num_highlights"))
            case "detectable_format:multiple_sections":
                .sections(
                    try fields.text("section_spliter"), try fields.number("num_sections"))
            case "detectable_format:json_format": .json
            case "detectable_format:title": .title
            case "combination:two_responses": .twoResponses
            case "combination:repeat_prompt":
                .repeatedPrompt(
                    arguments["prompt_to_repeat"]?.string ?? prompt)
            case "startend:end_checker": .ending(try fields.text("end_phrase"))
            case "startend:quotation": .quotation
            case "change_case:capital_word_frequency":
                .capitalWords(try fields.amount("capital_frequency", "capital_relation"))
            case "change_case:english_capital": .upperCase
            case "change_case:english_lowercase": .lowerCase
            case "punctuation:no_comma": .noComma
            default: throw fault("the instruction \"\(name)\" is not known")
            }
    }
}

/// The arguments of an instruction.
private struct InstructionFields {
    let name: String
    let arguments: [JSONKey: JSONValue]
    let fault: (String) -> ModelFileError

    func text(_ key: String) throws(ModelFileError) -> String {
        guard let text = arguments[JSONKey(key)]?.string?.stripped, !text.isEmpty else {
            throw missing(key, "a text")
        }
        return text
    }

    func texts(_ key: String) throws(ModelFileError) -> [String] {
        let texts = arguments[JSONKey(key)]?.array?.map { $0.string ?? "" } ?? []
        guard !texts.isEmpty, !texts.contains("") else { throw missing(key, "a list of texts") }
        return texts
    }

    func number(_ key: String, atLeast minimum: Int = 0) throws(ModelFileError) -> Int {
        let number: Int? =
            switch arguments[JSONKey(key)] {
            case .integer(let number): number
            case .number(let number): Int(exactly: number)
            default: nil
            }
        guard let number, number >= minimum else {
            throw missing(key, "a whole number, \(minimum) or more")
        }
        return number
    }

    func amount(
        _ key: String, _ relation: String
    ) throws(ModelFileError) -> WrittenInstruction.Amount {
        let words = try text(relation)
        guard ["less than", "at least"].contains(words) else {
            throw missing(relation, "\"less than\" or \"at least\"")
        }
        return .init(number: try number(key), isLess: words == "less than")
    }

    private func missing(_ key: String, _ kind: String) -> ModelFileError {
        fault("the instruction \"\(name)\" needs \"\(key)\", \(kind)")
    }
}
