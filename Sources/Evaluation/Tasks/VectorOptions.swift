internal import Foundation
internal import ModelFiles

/// What a task adds to the texts of an encoder, and compares their vectors with.
///
/// The first line of a task file gives it: `query_prefix` and `passage_prefix` are put before texts;
/// `folder` is a retrieval task in the format of BEIR; `train` is a file of labelled texts for
/// few-shot classification, with `samples` of each label in each of `draws` draws. Paths are relative
/// to the task file.
struct VectorOptions: Sendable {
    /// The text before every text except passages.
    var queryPrefix = ""
    /// The text before every passage.
    var passagePrefix = ""
    /// The passages that are searched, ordered by the bytes of their ids.
    var passages: [Passage] = []
    /// The texts that a few-shot classification is fitted to; nil for other tasks.
    var training: Training?
    /// The folder of a retrieval task; nil for other tasks.
    var folder: String?

    /// The members of the first line of a task file.
    static let members = ["query_prefix", "passage_prefix", "folder", "train", "samples", "draws"]

    /// A passage that is searched.
    struct Passage: Sendable, Equatable {
        let id: String
        let text: String
    }

    /// The texts that a few-shot classification is fitted to.
    struct Training: Sendable, Equatable {
        let texts: [String]
        let labels: [Int]
        /// The number of texts of each label in a draw.
        let samples: Int
        /// The number of draws.
        let draws: Int
    }

    init() {}

    /// Reads the members of the first line.
    ///
    /// - Parameters:
    ///   - fields: The members of the line.
    ///   - path: The path of the task file.
    /// - Throws: `ModelFileError` that names the line or the file of training texts.
    init(_ fields: TaskFields, path: String) throws(ModelFileError) {
        func located(_ name: String) throws(ModelFileError) -> String? {
            guard let other = try fields.optional(name) else { return nil }
            let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
            return URL(fileURLWithPath: other, relativeTo: folder).path
        }
        func count(_ name: String, _ usual: Int) throws(ModelFileError) -> Int {
            guard fields.has(name) else { return usual }
            guard let value = fields.integer(name), 1...1000 ~= value else {
                throw fields.fault("\"\(name)\" is not a number from 1 to 1000")
            }
            return value
        }
        queryPrefix = try fields.optional("query_prefix") ?? ""
        passagePrefix = try fields.optional("passage_prefix") ?? ""
        folder = try located("folder")
        let (samples, draws) = (try count("samples", 8), try count("draws", 10))
        guard let train = try located("train") else { return }
        guard !RetrievalFolder.isFolder(train) else {
            throw fields.fault("\"train\" is a folder, not a task file")
        }
        guard
            URL(fileURLWithPath: train).standardizedFileURL.path
                != URL(fileURLWithPath: path).standardizedFileURL.path
        else { throw fields.fault("\"train\" is the task file itself") }
        let task = try TaskFile.readTrainingTexts(train)
        guard task.kind == .classification else {
            throw ModelFileError(
                file: train, problem: "it is a \(task.kind.rawValue) task, not labelled texts",
                remedy: "give lines with \"text\" and \"label\" as \"train\"")
        }
        var (texts, labels) = ([String](), [Int]())
        for case .labelled(let text, _, _, let label) in task.items {
            texts.append(text)
            labels.append(label)
        }
        guard Set(labels).count > 1 else {
            throw ModelFileError(
                file: train, problem: "all its texts have the same label",
                remedy: "give training texts of two or more labels")
        }
        training = Training(texts: texts, labels: labels, samples: samples, draws: draws)
    }

    /// Collects the passages of pairs, and merges pairs with the same query.
    ///
    /// The text of a passage is also its id.
    ///
    /// - Parameters:
    ///   - items: Queries, each with one relevant passage.
    ///   - limit: The maximum number of queries.
    /// - Returns: One item for each query.
    mutating func collect(passagesOf items: [TaskItem], limit: Int) -> [TaskItem] {
        var (queries, relevant) = ([String](), [String: [String: Int]]())
        for case .search(let query, _, let grades) in items {
            if relevant[query] == nil { queries.append(query) }
            relevant[query, default: [:]].merge(grades) { $1 }
        }
        let texts = Set(relevant.values.flatMap(\.keys))
        passages = texts.map { Passage(id: $0, text: $0) }.orderedByID()
        return queries.prefix(limit).map {
            .search(query: $0, id: "", relevant: relevant[$0] ?? [:])
        }
    }
}

extension [VectorOptions.Passage] {
    /// The passages in the order of the bytes of their ids.
    func orderedByID() -> [VectorOptions.Passage] {
        map { ([UInt8]($0.id.utf8), $0) }.sorted { $0.0.lexicographicallyPrecedes($1.0) }
            .map(\.1)
    }
}

extension TaskFields {
    /// Returns the item of a task that compares vectors; nil if the line has none of its members.
    func vectorItem() throws(ModelFileError) -> TaskItem? {
        if has("passage") {
            return .search(
                query: try text("query"), id: "", relevant: [try text("passage"): 1])
        }
        if has("positive") {
            return .ranking(
                query: try text("query"), positive: try texts("positive"),
                negative: try texts("negative"))
        }
        if has("cluster") {
            if let number = integer("cluster") {
                return .clustered(text: try string("text"), cluster: String(number))
            }
            return .clustered(text: try string("text"), cluster: try text("cluster"))
        }
        if has("match") {
            guard let match = integer("match"), 0...1 ~= match else {
                throw fault("\"match\" is neither 0 nor 1")
            }
            return .pair(
                first: try string("first"), second: try string("second"), isMatch: match == 1)
        }
        return nil
    }
}

extension EvaluationTask {
    /// Throws if the items of a task that compares vectors cannot be scored.
    ///
    /// - Parameter path: The path of the task file.
    /// - Throws: `ModelFileError`.
    func checkVectors(_ path: String) throws(ModelFileError) {
        func fault(_ problem: String, _ remedy: String) -> ModelFileError {
            ModelFileError(file: path, problem: problem, remedy: remedy)
        }
        if vectors.training != nil, kind != .fewShot || items.first?.kind != .classification {
            throw fault(
                "it names training texts, but its items have no label",
                "give lines with \"text\" and \"label\", or remove \"train\"")
        }
        switch kind {
        case .clustering:
            let clusters = Set(items.map(\.cluster))
            guard clusters.count > 1 else {
                throw fault(
                    "all its texts are in one cluster", "give texts of two or more clusters")
            }
            guard clusters.count < items.count else {
                throw fault(
                    "each of its \(items.count) texts has a cluster of its own",
                    "give more texts than clusters")
            }
        case .fewShot:
            let known = Set(vectors.training?.labels ?? [])
            for case .labelled(_, _, _, let label) in items where !known.contains(label) {
                throw fault(
                    "no training text has the label \(label)",
                    "add texts with this label to the \"train\" file")
            }
        case .pairs:
            let matches = items.count {
                if case .pair(_, _, true) = $0 { true } else { false }
            }
            guard matches > 0, matches < items.count else {
                throw fault(
                    "\(matches) of its \(items.count) pairs match",
                    "give pairs that match and pairs that do not")
            }
        default: break
        }
    }
}

extension TaskItem {
    /// The name of the cluster; empty for other items.
    var cluster: String {
        if case .clustered(_, let cluster) = self { cluster } else { "" }
    }
}
