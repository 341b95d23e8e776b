internal import Foundation
internal import ModelFiles
internal import Transformers

/// Other files that are copied with a model: sentence-transformers modules and chat templates.
struct CompanionFiles {
    /// The contents by path in the model's directory.
    private(set) var contents: [String: [UInt8]] = [:]

    /// The folders of modules, which may be empty.
    private(set) var folders: [String] = []

    private let hiddenSize: Int
    private let width: Int

    private static let names = [
        "config_sentence_transformers.json", "chat_template.json", "tokenizer.model",
        "sentencepiece.bpe.model",
    ]
    private static let modules = "modules.json"

    /// Reads the files of a model; a GGUF file has none.
    ///
    /// - Parameters:
    ///   - checkpoint: The model.
    ///   - width: The number of channels of the residual stream in the copy.
    /// - Throws: `ModelFileError` if a file is damaged or a module lies outside the model.
    init(of checkpoint: Checkpoint, width: Int) throws(ModelFileError) {
        (hiddenSize, self.width) = (checkpoint.shape.hiddenSize, width)
        let own = checkpoint.directory
        guard Self.isDirectory(own) else { return }
        for name in Self.files(in: own)
        where Self.names.contains(name)
            || name.hasPrefix("sentence_") && name.hasSuffix("_config.json")
        {
            try add(name, from: own)
        }
        try add(folder: "additional_chat_templates", from: own)
        // In an older layout, the model's folder is beside the folders of its modules.
        let (above, folder) = (own + "/..", URL(fileURLWithPath: own).lastPathComponent)
        if try !addModules(in: own, model: ""), try !addModules(in: above, model: folder) {
            try add(folder: "1_Pooling", from: own)
        }
    }

    /// Adds the modules of a directory's `modules.json` if it also lists the model.
    ///
    /// - Returns: Whether it lists the model.
    private mutating func addModules(
        in root: String, model: String
    ) throws(ModelFileError) -> Bool {
        let file = "\(root)/\(Self.modules)"
        guard Self.files(in: root).contains(Self.modules) else { return false }
        var modules = try JSONValue(parsing: InputFile(path: file).bytes, file: file).array ?? []
        let paths = modules.map { $0.object?["path"]?.string ?? "" }
        guard let place = paths.firstIndex(of: model) else { return false }
        for path in paths where path != model && !path.isEmpty {
            guard !path.hasPrefix("/"), !path.split(separator: "/").contains("..") else {
                throw ModelFileError(
                    file: file, subject: "path", problem: "a module lies outside of the model",
                    remedy: "correct the path")
            }
            folders.append(path)
            try add(folder: path, from: root)
        }
        if var module = modules[place].object {
            module["path"] = .string("")
            modules[place] = .object(module)
        }
        contents[Self.modules] = JSONValue.array(modules).encoded(indented: true)
        return true
    }

    private mutating func add(folder: String, from root: String) throws(ModelFileError) {
        for name in Self.files(in: "\(root)/\(folder)") {
            try add("\(folder)/\(name)", from: root)
        }
    }

    private mutating func add(_ name: String, from root: String) throws(ModelFileError) {
        let (path, bytes) = ("\(root)/\(name)", try InputFile(path: "\(root)/\(name)").bytes)
        contents[name] = bytes
        guard name.hasSuffix(".json"), !name.hasPrefix("chat_template") else { return }
        let value = try JSONValue(parsing: bytes, file: path)
        // The weights of the copy may have another type.
        var members = value.withoutTypes.object ?? [:]
        if width != hiddenSize {
            for field in ["word_embedding_dimension", "dimension"]
            where members[JSONKey(field)] == .integer(hiddenSize) {
                members[JSONKey(field)] = .integer(width)
            }
        }
        guard members != value.object ?? [:] else { return }
        contents[name] = JSONValue.object(members).encoded(indented: true)
    }

    /// Returns the names of a directory's files; empty if it is not a directory.
    private static func files(in directory: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.filter { !isDirectory("\(directory)/\($0)") }.sorted()
    }

    private static func isDirectory(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
            && isDirectory.boolValue
    }
}

extension JSONValue {
    /// Returns a copy without members, at any depth, that set the type in which weights are loaded.
    var withoutTypes: JSONValue {
        switch self {
        case .object(let members):
            let kept = members.filter { key, value in
                !(["dtype", "torch_dtype"].contains(key.text) && value.string != nil)
            }
            return .object(kept.mapValues(\.withoutTypes))
        case .array(let elements): return .array(elements.map(\.withoutTypes))
        default: return self
        }
    }
}
