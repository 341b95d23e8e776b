internal import Foundation
internal import ModelFiles

/// A retrieval task in the format of BEIR.
///
/// `corpus.jsonl` has the passages with `_id`, `title` and `text`, `queries.jsonl` the queries with
/// `_id` and `text`, and `qrels/test.tsv` the judgements with `query-id`, `corpus-id` and `score`.
/// Queries without judgements are not evaluated.
struct RetrievalFolder {
    private let folder: String

    /// Names a folder.
    init(path: String) { folder = path }

    /// Whether a path is a folder.
    static func isFolder(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
            && isDirectory.boolValue
    }

    /// Reads the task.
    ///
    /// - Parameters:
    ///   - name: The name of the task; nil for the name of the folder.
    ///   - options: The prefixes of texts.
    ///   - limit: The maximum number of queries, counted from the first; nil for all.
    /// - Returns: The task.
    /// - Throws: `ModelFileError` that names the file and the id.
    func task(
        name: String? = nil, _ options: VectorOptions = VectorOptions(), limit: Int?
    ) throws(ModelFileError) -> EvaluationTask {
        var vectors = options
        let passages = try texts(of: try file("corpus.jsonl"), titles: true)
        vectors.passages = passages.map { VectorOptions.Passage(id: $0.id, text: $0.text) }
            .orderedByID()
        let queries = try texts(of: try file("queries.jsonl"), titles: false)
        let relevant = try judgements(
            queries: Set(queries.map(\.id)), passages: Set(passages.map(\.id)))
        let judged = queries.filter { relevant[$0.id] != nil }
        let items = judged.prefix(limit ?? .max).map {
            TaskItem.search(query: $0.text, id: $0.id, relevant: relevant[$0.id] ?? [:])
        }
        return EvaluationTask(
            name: name ?? URL(fileURLWithPath: folder).standardizedFileURL.lastPathComponent,
            kind: .retrieval, items: items, labels: [], examples: "",
            delimiter: Delimiter(given: nil), vectors: vectors)
    }

    private func file(_ name: String) throws(ModelFileError) -> String {
        let path = folder + "/" + name
        guard FileManager.default.fileExists(atPath: path) else {
            throw ModelFileError(
                file: path, problem: "the file is missing",
                remedy: "a retrieval task needs corpus.jsonl, queries.jsonl and qrels/test.tsv")
        }
        return path
    }

    /// Reads ids and texts, with titles before them.
    private func texts(
        of path: String, titles: Bool
    ) throws(ModelFileError) -> [(id: String, text: String)] {
        var (found, known) = ([(id: String, text: String)](), Set<String>())
        try RecordFile.visit(path) { record throws(ModelFileError) in
            let fields = TaskFields(members: record.members, file: record.place)
            let id = try fields.string("_id")
            guard known.insert(id).inserted else {
                throw fields.fault("another line has the same \"_id\", \(quoted(id))")
            }
            let title = titles ? try fields.optional("title") ?? "" : ""
            let text = try fields.string("text")
            let whole = title.isEmpty ? text : title + " " + text
            found.append((id, whole.trimmingCharacters(in: .whitespacesAndNewlines)))
            return true
        }
        guard !found.isEmpty else {
            throw ModelFileError(
                file: path, problem: "it is empty",
                remedy: "give lines such as {\"_id\": \"1\", \"text\": \"…\"}")
        }
        return found
    }

    /// Reads the grades of relevant passages, by query and passage.
    private func judgements(
        queries: Set<String>, passages: Set<String>
    ) throws(ModelFileError) -> [String: [String: Int]] {
        let path = try file("qrels/test.tsv")
        var relevant: [String: [String: Int]] = [:]
        try RecordFile.visit(path) { record throws(ModelFileError) in
            let fields = TaskFields(members: record.members, file: record.place)
            let (query, passage) = (
                try fields.string("query-id"), try fields.string("corpus-id")
            )
            guard let grade = fields.integer("score") else {
                throw fields.fault("\"score\" is not a whole number")
            }
            guard queries.contains(query) else {
                throw fields.fault("\"query-id\" \(quoted(query)) is not in queries.jsonl")
            }
            guard passages.contains(passage) else {
                throw fields.fault("\"corpus-id\" \(quoted(passage)) is not in corpus.jsonl")
            }
            relevant[query, default: [:]][passage] = grade > 0 ? grade : nil
            return true
        }
        guard !relevant.isEmpty else {
            throw ModelFileError(
                file: path, problem: "it has no judgement",
                remedy: "give rows of query-id, corpus-id and score below the heading")
        }
        if let query = relevant.filter({ $0.value.isEmpty }).keys.min() {
            throw ModelFileError(
                file: path, problem: "the query \(quoted(query)) has no relevant passage",
                remedy: "give it a passage with a score above 0, or remove its rows")
        }
        return relevant
    }
}
