internal import Foundation
public import ModelFiles

/// Reads tasks: JSON lines with one item on each line, or tables whose first row has the names of
/// the members.
///
/// The members of a line decide the kind of its item. A first line without an item describes the
/// task: `prompt` forms the text that the model reads, with members of an item in braces; `labels`
/// are the words of labels; `delimiter` is inserted between a prompt and its continuation. The
/// default delimiter is a space, or nothing if the prompt ends or the continuation begins with
/// white space; `preamble` precedes every prompt; `stops` are texts at which a generated answer
/// ends, and `tokens` is its maximum length; `metric` may be `exact_match` and `ignore` may be
/// `["articles"]` for questions; `chat` is true if prompts are a user's messages. Every item may
/// have a `subject`:
///
///     {"name": "arc_easy", "prompt": "Question: {query}\nAnswer:"}
///     {"query": "What is frozen water?", "choices": ["ice", "steam"], "gold": 0}
///
/// | members | kind |
/// | --- | --- |
/// | `query`, `choices`, `gold` | multiple choice; `support` may be given |
/// | `context`, `continuation` | last words |
/// | `good`, `bad` | minimal pairs |
/// | `question`, `answers` | questions; `passage` may be given |
/// | `first`, `second`, `score` | similarity |
/// | `text`, `label` | classification; `second` may be given |
/// | `document`, `summary` | summaries |
/// | `contexts`, `continuation`, `gold` | partial scoring |
/// | `question`, `answer` | calculations |
/// | `prompt`, `instruction_id_list`, `kwargs` | instructions |
/// | `page` | pages; `original` may be given |
/// | `turns` | conversations |
/// | `query`, `passage` | retrieval |
/// | `query`, `positive`, `negative` | reranking |
/// | `text`, `cluster` | clustering |
/// | `first`, `second`, `match` | pair classification |
///
/// A folder is a retrieval task in the format of BEIR. See ``VectorOptions`` for the members of the
/// first line of an encoder's task.
public enum TaskFile {
    /// Reads a task.
    ///
    /// - Parameters:
    ///   - path: The file. If the first line has no name for the task, the file name is used.
    ///   - limit: The maximum number of items, counted from the first; nil for all.
    ///   - shots: The number of examples to put before each prompt. They are the first items of the
    ///     file with their answers, and are not evaluated.
    /// - Returns: The task.
    /// - Throws: `ModelFileError` that names the line and the member.
    public static func read(
        _ path: String, limit: Int? = nil, shots: Int = 0
    ) throws(ModelFileError) -> EvaluationTask {
        if RetrievalFolder.isFolder(path) {
            return try RetrievalFolder(path: path).task(limit: limit)
        }
        return try read(path, limit: limit, shots: shots, isTraining: false)
    }

    /// Reads the texts that another task is trained on.
    ///
    /// Such a file does not name further files. So files cannot name each other in a circle.
    static func readTrainingTexts(_ path: String) throws(ModelFileError) -> EvaluationTask {
        try read(path, limit: nil, shots: 0, isTraining: true)
    }

    private static func read(
        _ path: String, limit: Int?, shots: Int, isTraining: Bool
    ) throws(ModelFileError) -> EvaluationTask {
        var name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
        var vectors = VectorOptions()
        var prompt: String?
        var labels: [String] = []
        var delimiter = Delimiter(given: nil)
        var form = AnswerForm()
        var items: [TaskItem] = []
        var (subjects, leftOut) = ([String](), 0)
        let most = limit.map { $0 + shots } ?? .max
        try RecordFile.visit(path) { record throws(ModelFileError) in
            let fields = TaskFields(members: record.members, file: record.place)
            if record.index == 0, !fields.isItem,
                (["name", "prompt", "labels", "delimiter"] + TaskFields.formMembers
                    + VectorOptions.members)
                    .contains(where: fields.has)
            {
                if !isTraining { vectors = try VectorOptions(fields, path: path) }
                name = try fields.optional("name") ?? name
                prompt = try fields.optional("prompt")
                delimiter = Delimiter(given: try fields.optional("delimiter"))
                if fields.has("labels") { labels = try fields.texts("labels") }
                form = try fields.form()
                return true
            }
            let item = try fields.item(prompt: prompt, labels: labels.count)
            guard item.kind == items.first?.kind ?? item.kind else {
                throw fields.fault("it is of another kind than the lines before")
            }
            if case .instructed(_, let instructions) = item,
                !instructions.allSatisfy(\.isCheckable)
            {
                leftOut += 1
                return true
            }
            items.append(item)
            subjects.append(try fields.optional("subject") ?? "")
            // All passages of a file are searched, also those of later queries.
            return items.count < most || item.kind == .retrieval
        }
        if let folder = vectors.folder {
            guard items.isEmpty else {
                throw ModelFileError(
                    file: path, problem: "it has items, but names a \"folder\"",
                    remedy: "remove the items, or \"folder\"")
            }
            return try RetrievalFolder(path: folder).task(name: name, vectors, limit: limit)
        }
        if items.first?.kind == .retrieval {
            items = vectors.collect(passagesOf: items, limit: most)
            subjects = []
        }
        guard items.count > shots, let first = items.first else {
            throw ModelFileError(
                file: path,
                problem: "it has \(items.count) items, and \(shots) of them are examples",
                remedy: "give more lines, or fewer --shots")
        }
        if let member = form.unusedMember(for: first.kind) {
            throw ModelFileError(
                file: path,
                problem: "\"\(member)\" has no meaning for items of the kind "
                    + "\"\(first.kind.rawValue)\"", remedy: "remove it from the first line")
        }
        let examples = items.prefix(shots).compactMap { $0.solved(labels, delimiter) }.joined()
        let hasSubjects = subjects.contains { !$0.isEmpty }
        let task = EvaluationTask(
            name: name, kind: vectors.training == nil ? first.kind : .fewShot,
            items: Array(items.dropFirst(shots)), labels: labels,
            examples: form.preamble + examples, delimiter: delimiter, form: form,
            subjects: hasSubjects ? Array(subjects.dropFirst(shots)) : [], leftOut: leftOut,
            vectors: vectors)
        try task.checkVectors(path)
        return task
    }
}

extension TaskItem {
    /// Returns the item with its answer, as an example before other items; nil if items of its kind
    /// have no prompt.
    fileprivate func solved(_ labels: [String], _ delimiter: Delimiter) -> String? {
        func solved(_ prompt: String, _ text: String) -> String {
            prompt + delimiter.before(text, after: prompt) + text + "\n\n"
        }
        return switch self {
        case .choice(let prompt, let choices, let gold): solved(prompt, choices[gold])
        case .partial(let contexts, let text, let gold): solved(contexts[gold], text)
        case .calculation(let prompt, let answer): solved(prompt, answer)
        case .question(let prompt, let answers, _): solved(prompt, answers.first ?? "")
        case .labelled(_, _, let prompt, let label):
            labels.isEmpty ? nil : solved(prompt, labels[label])
        case .document(let prompt, let summary): solved(prompt, summary)
        case .lastWords, .minimalPair, .similarity, .instructed, .page, .conversation, .search,
            .ranking, .clustered, .pair:
            nil
        }
    }
}

/// The members of one line.
struct TaskFields {
    let members: [JSONKey: JSONValue]
    let file: String

    /// The maximum number of labels that are accepted if a file does not name them.
    private static let maximumLabels = 65_536

    func has(_ name: String) -> Bool { members[JSONKey(name)] != nil }

    /// Members that identify items: every item has one of them.
    private static let itemMembers = [
        "choices", "continuation", "good", "question", "score", "label", "document",
        "instruction_id_list", "page", "turns", "passage", "positive", "cluster", "match",
    ]

    /// Members of the first line that say how answers are generated and scored.
    static let formMembers = ["preamble", "stops", "tokens", "metric", "ignore", "chat"]

    /// Whether the line is an item, and not a description of the task.
    var isItem: Bool { Self.itemMembers.contains(where: has) }

    func item(prompt: String?, labels: Int) throws(ModelFileError) -> TaskItem {
        if has("choices") {
            let choices = try texts("choices")
            guard choices.count > 1 else {
                throw fault("\"choices\" is not a list of two or more; tables cannot have lists")
            }
            guard let gold = integer("gold"), choices.indices.contains(gold) else {
                throw fault("\"gold\" is not the index of one of \(choices.count) choices")
            }
            let usual = has("support") ? "{support}\nQuestion: {query}\nAnswer:" : "{query}"
            return .choice(
                prompt: try filled(prompt ?? usual), choices: choices, gold: gold)
        }
        if has("contexts") {
            let contexts = try texts("contexts")
            guard contexts.count > 1, let gold = integer("gold"), contexts.indices.contains(gold)
            else {
                throw fault("\"gold\" is not the index of one of two or more \"contexts\"")
            }
            return .partial(
                contexts: contexts, continuation: try text("continuation"), gold: gold)
        }
        if has("continuation") {
            return .lastWords(
                context: try string("context"), continuation: try text("continuation"))
        }
        if has("good") { return .minimalPair(good: try text("good"), bad: try text("bad")) }
        if has("question"), has("answer"), !has("answers") {
            return .calculation(
                prompt: try filled(prompt ?? "Question: {question}\nAnswer:"),
                answer: try text("answer"))
        }
        if has("question") {
            let usual = (has("passage") ? "{passage}\n" : "") + "Question: {question}\nAnswer:"
            let question = try string("question")
            let passage = try optional("passage").flatMap { $0.isEmpty ? nil : $0 }
            return .question(
                prompt: try filled(prompt ?? usual), answers: try answers(),
                reading: passage.map { Reading(question: question, passage: $0) })
        }
        if has("score") {
            return .similarity(
                first: try string("first"), second: try string("second"), score: try score())
        }
        if has("label") {
            let most = labels > 0 ? labels : Self.maximumLabels
            guard let label = integer("label"), 0..<most ~= label else {
                throw fault("\"label\" is not the index of a label, from 0 to \(most - 1)")
            }
            let usual = "{text}" + (has("second") ? "\n{second}" : "")
            return .labelled(
                text: try string("text"), second: try optional("second"),
                prompt: try filled(prompt ?? usual), label: label)
        }
        if has("document") {
            return .document(
                prompt: try filled(prompt ?? "{document}\n\nSummary:"),
                summary: try text("summary"))
        }
        if has("page") {
            let page = try text("page")
            return .page(text: page, original: try optional("original") ?? page)
        }
        if has("turns") { return .conversation(turns: try texts("turns")) }
        if has("instruction_id_list") {
            let prompt = try text("prompt")
            return .instructed(prompt: prompt, instructions: try instructions(prompt))
        }
        if let item = try vectorItem() { return item }
        throw fault("it has none of \(Self.itemMembers.joined(separator: ", "))")
    }

    /// Returns the instructions of an item of IFEval.
    private func instructions(_ prompt: String) throws(ModelFileError) -> [WrittenInstruction] {
        let names = try texts("instruction_id_list")
        let arguments = members["kwargs"]?.array?.compactMap(\.object) ?? []
        guard arguments.count == names.count else {
            throw fault("\"kwargs\" is not a list of one object for each instruction")
        }
        var instructions: [WrittenInstruction] = []
        for (name, arguments) in zip(names, arguments) {
            instructions.append(
                try WrittenInstruction(name, arguments, prompt: prompt, fault: fault))
        }
        return instructions
    }

    /// Returns how answers are generated and scored, from the first line.
    func form() throws(ModelFileError) -> AnswerForm {
        var form = AnswerForm()
        form.preamble = try optional("preamble") ?? ""
        if has("stops") { form.stops = try texts("stops") }
        if has("tokens") {
            guard let tokens = integer("tokens"), 1...65_536 ~= tokens else {
                throw fault("\"tokens\" is not a whole number, 1 to 65536")
            }
            form.tokens = tokens
        }
        if let metric = try optional("metric") {
            guard metric == "exact_match" else {
                throw fault("\"metric\" is \"\(metric)\"; only \"exact_match\" can be chosen")
            }
            form.isExact = true
        }
        if has("ignore") {
            guard try strings("ignore") == ["articles"] else {
                throw fault("\"ignore\" can only be [\"articles\"]")
            }
            form.ignoresArticles = true
        }
        if let value = members["chat"] {
            guard case .bool(let isChat) = value else {
                throw fault("\"chat\" is not true or false")
            }
            form.isChat = isChat
        }
        return form
    }

    /// Returns the prompt, with names in braces replaced by members.
    private func filled(_ prompt: String) throws(ModelFileError) -> String {
        var result = ""
        var rest = prompt[...]
        var isCut = false
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            let value = try string(String(rest[rest.index(after: open)..<close]))
            isCut = isCut || open == prompt.startIndex && value.isEmpty
            result += rest[..<open]
            result += value
            rest = rest[rest.index(after: close)...]
        }
        // If the passage before everything else is empty, its line is removed.
        let text = result + rest
        return isCut ? String(text.drop { $0 == "\n" }) : text
    }

    func string(_ name: String) throws(ModelFileError) -> String {
        guard let text = try optional(name) else { throw fault("\"\(name)\" is missing") }
        return text
    }

    /// Returns a string, which must not be empty because it is scored.
    func text(_ name: String) throws(ModelFileError) -> String {
        let text = try string(name)
        guard !text.isEmpty else { throw fault("\"\(name)\" is empty") }
        return text
    }

    /// Returns strings, which must not be empty because they are scored.
    func texts(_ name: String) throws(ModelFileError) -> [String] {
        let texts = try strings(name)
        if let place = texts.firstIndex(of: "") { throw fault("\"\(name)\"[\(place)] is empty") }
        return texts
    }

    func optional(_ name: String) throws(ModelFileError) -> String? {
        guard let value = members[JSONKey(name)] else { return nil }
        guard let text = value.string else { throw fault("\"\(name)\" is not a string") }
        return text
    }

    func strings(_ name: String) throws(ModelFileError) -> [String] {
        let value = members[JSONKey(name)]
        if let text = value?.string { return [text] }
        let values = value?.array ?? []
        let strings = values.compactMap(\.string)
        guard !strings.isEmpty, strings.count == values.count else {
            throw fault("\"\(name)\" is not a list of strings")
        }
        return strings
    }

    /// Returns the correct answers, of which at least one is not empty.
    private func answers() throws(ModelFileError) -> [String] {
        let answers = try strings("answers")
        guard answers.contains(where: { !$0.isEmpty }) else {
            throw fault("\"answers\" has only empty strings")
        }
        return answers
    }

    /// Returns a whole number, which is a string in a table.
    func integer(_ name: String) -> Int? {
        let value = members[JSONKey(name)]
        return value?.integer ?? value?.string.flatMap { Int($0) }
    }

    private func score() throws(ModelFileError) -> Double {
        switch members["score"] {
        case .integer(let value): return Double(value)
        case .number(let value): return value
        case .string(let text):
            if let value = Double(text), value.isFinite { return value }
            fallthrough
        default: throw fault("\"score\" is not a number")
        }
    }

    func fault(_ problem: String) -> ModelFileError {
        ModelFileError(
            file: file, problem: problem,
            remedy: "correct the line; `espalier evaluate --help` lists the members of a line")
    }
}
