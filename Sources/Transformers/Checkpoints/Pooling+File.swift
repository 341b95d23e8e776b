internal import Foundation
internal import ModelFiles

extension Pooling {
    /// Modules of Sentence Transformers that do not change the cosine similarity of two vectors.
    private static let harmless = ["Normalize", "Dropout"]

    /// Reads the pooling of a Sentence Transformers directory; the mean if it does not state any.
    ///
    /// `modules.json` lists the modules, each with its folder. The file is in the folder of the
    /// weights, or in the parent folder if the weights have a folder of their own.
    ///
    /// - Parameter directory: The directory of the weights.
    /// - Throws: ``ModelFileError`` if a file is damaged, or a module or mode is not supported.
    init(inDirectory directory: String) throws(ModelFileError) {
        self = try Self.stated(inDirectory: directory)
        maximumTokens = try Self.maximumTokens(inDirectory: directory)
    }

    private static func stated(inDirectory directory: String) throws(ModelFileError) -> Pooling {
        let weights = URL(fileURLWithPath: directory).standardizedFileURL
        let parent = weights.deletingLastPathComponent()
        let beside = try modules(in: weights.path)
        if !beside.isEmpty { return try reading(beside, in: weights.path, weightsIn: "") }
        let own = weights.lastPathComponent
        // The parent folder may be unrelated to the model, so errors in it are ignored.
        if let above = try? modules(in: parent.path), above.contains(where: { $0.path == own }) {
            return try reading(above, in: parent.path, weightsIn: own)
        }
        let alone = weights.path + "/1_Pooling/config.json"
        return try FileManager.default.fileExists(atPath: alone) ? Pooling(config: alone) : .mean
    }

    private struct Module {
        let path: String
        /// The name of the class without its package.
        let name: String
    }

    private static func modules(in folder: String) throws(ModelFileError) -> [Module] {
        let file = folder + "/modules.json"
        guard FileManager.default.fileExists(atPath: file) else { return [] }
        let entries = try JSONValue(parsing: InputFile(path: file).bytes, file: file).array
        var modules: [Module] = []
        for entry in entries ?? [] {
            let type = entry.object?["type"]?.string ?? ""
            guard let path = entry.object?["path"]?.string,
                let name = type.split(separator: ".").last
            else {
                throw ModelFileError(
                    file: file, subject: "modules[\(modules.count)]",
                    problem: "it has no \"path\" or no \"type\"",
                    remedy: "fetch the file again, or remove it " + withoutModules)
            }
            modules.append(Module(path: path, name: String(name)))
        }
        guard !modules.isEmpty else {
            throw ModelFileError(
                file: file, problem: "it lists no modules",
                remedy: "fetch the file again, or remove it " + withoutModules)
        }
        return modules
    }

    /// What is read if `modules.json` is removed.
    private static let withoutModules = "(1_Pooling/config.json is then read, if it exists)"

    private static func reading(
        _ modules: [Module], in folder: String, weightsIn own: String
    ) throws(ModelFileError) -> Pooling {
        var pooling: Pooling?
        for module in modules where !harmless.contains(module.name) {
            if module.name == "Transformer", module.path == own { continue }
            guard module.name == "Pooling", pooling == nil else {
                throw ModelFileError(
                    file: folder + "/modules.json", subject: "module \(quoted(module.name))",
                    problem: "it changes the vectors of sentences and is not supported",
                    remedy: "use a model of a Transformer, a Pooling and perhaps a Normalize "
                        + "module, or remove modules.json " + withoutModules)
            }
            pooling = try Pooling(config: "\(folder)/\(module.path)/config.json")
        }
        // Without a pooling module the mean is used, as for a model without `modules.json`.
        var result = pooling ?? .mean
        result.isNormalised = modules.contains { $0.name == "Normalize" }
        return result
    }

    /// Reads the configuration of a pooling module.
    private init(config file: String) throws(ModelFileError) {
        let members = try JSONValue(parsing: InputFile(path: file).bytes, file: file).object ?? [:]
        // These are in the order in which Sentence Transformers concatenates the vectors.
        let flags: [(String, Mode)] = [
            ("pooling_mode_cls_token", .cls), ("pooling_mode_max_tokens", .max),
            ("pooling_mode_mean_tokens", .mean),
            ("pooling_mode_mean_sqrt_len_tokens", .meanSqrtLength),
            ("pooling_mode_weightedmean_tokens", .weightedMean),
            ("pooling_mode_lasttoken", .lastToken),
        ]
        func unknown(_ mode: String) -> ModelFileError {
            ModelFileError(
                file: file, subject: "pooling_mode", problem: "\(quoted(mode)) is not supported",
                remedy: "use a model that pools by "
                    + Mode.allCases.map(\.rawValue).joined(separator: ", "))
        }
        var modes: [Mode] = []
        if let value = members["pooling_mode"], value.array != [] {
            for name in value.array ?? [value] {
                guard let mode = name.string.flatMap(Mode.init(rawValue:)) else {
                    throw unknown(name.string ?? String(decoding: name.encoded(), as: UTF8.self))
                }
                modes.append(mode)
            }
        } else {
            for (key, value) in members where key.text.hasPrefix("pooling_mode_") {
                guard value == .bool(true) else { continue }
                guard flags.contains(where: { $0.0 == key.text }) else { throw unknown(key.text) }
            }
            modes = flags.filter { members[JSONKey($0.0)] == .bool(true) }.map(\.1)
        }
        self.init(modes.isEmpty ? [.mean] : modes)
    }
}
