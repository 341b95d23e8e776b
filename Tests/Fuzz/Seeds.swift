import Foundation

/// A valid file, of which damaged copies are made, and the files next to it.
struct Seed {
    /// The folder from which the file is copied.
    let folder: String
    let name: String
    let bytes: [UInt8]
    /// The number of bytes of the header.
    let head: Int

    /// Returns the files of the repository's fixtures, some texts, and the files of further
    /// folders.
    static func all(in repository: String, scratch: String, further: [String]) throws -> [Seed] {
        let tests = repository + "/Tests/"
        let models = tests + "TransformersTests/Fixtures/"
        var folders = ["Fixtures", "Fixtures/sharded"].map { tests + "ModelFilesTests/" + $0 }
        for parent in [models, models + "classifiers/", models + "spans/"] {
            folders += try self.folders(in: parent)
        }
        folders += try self.folders(in: repository + "/profiles/")
        folders.append(try texts(in: scratch + "/texts"))
        folders.append(try copy(models + "tiny-llama.gguf", scratch))
        folders += further
        return try folders.flatMap { folder in
            try names(in: folder).compactMap { try Seed(folder: folder, name: $0) }
        }
    }

    private static func names(in folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    }

    private static func folders(in parent: String) throws -> [String] {
        try names(in: parent).map { parent + $0 }.filter {
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: $0, isDirectory: &isFolder)
                && isFolder.boolValue
        }
    }

    private init?(folder: String, name: String) throws {
        let kinds = ["json", "gguf", "safetensors", "jsonl", "csv", "tsv", "txt", "bin"]
        let url = URL(fileURLWithPath: folder + "/" + name)
        guard kinds.contains(url.pathExtension), !name.contains("expected") else { return nil }
        (self.folder, self.name) = (folder, name)
        bytes = [UInt8](try Data(contentsOf: url))
        switch url.pathExtension {
        case "gguf":
            let header = Data(bytes).range(of: Data("output_norm.weight".utf8))?.upperBound
            head = min(bytes.count, (header ?? 2800) + 4000)
        case "safetensors":
            head = min(bytes.count, 8 + Int(bytes[0]) + Int(bytes[1]) << 8 + Int(bytes[2]) << 16)
        default: head = bytes.count
        }
    }

    private static func copy(_ gguf: String, _ scratch: String) throws -> String {
        let folder = scratch + "/gguf"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: gguf, toPath: folder + "/model.gguf")
        return folder
    }

    /// Writes records and tasks of every kind.
    ///
    /// Returns their folder.
    private static func texts(in folder: String) throws -> String {
        let files: [String: String] = [
            "choice.jsonl": """
            {"name": "t", "prompt": "Question: {query}\\nAnswer:"}
            {"query": "What is frozen water?", "choices": ["ice", "steam"], "gold": 0}

            """, "last.jsonl": #"{"context": "Anna found a", "continuation": " cat"}"# + "\n",
            "pairs.jsonl": #"{"good": "a cat is", "bad": "a cat are"}"# + "\n",
            "question.jsonl": """
            {"question": "Who?", "answers": ["Anna", "a cat"], "passage": "Anna found a cat."}

            """, "similar.csv": "first,second,score\n\"a, b\",\"c \"\"d\"\"\",0.5\n",
            "labels.tsv": "text\tlabel\tsecond\nAnna found\t1\tcat\nA cat\t0\tdog\n",
            "labels.jsonl": """
            {"name": "x", "labels": ["no", "yes"], "prompt": "{text}?"}
            {"text": "a", "label": 1}
            {"text": "b", "label": "no"}

            """, "summary.jsonl": #"{"document": "Anna found a cat.", "summary": "cat"}"# + "\n",
            "plain.txt": "Anna found a cat.\nIt was é small.\n\nThe end.\n",
        ]
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (name, text) in files {
            try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/" + name))
        }
        return folder
    }
}
