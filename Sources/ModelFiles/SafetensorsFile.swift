/// The tensors of a safetensors file, or of the shards that an index names.
///
/// Format: github.com/huggingface/safetensors. The complete header is checked when the file is
/// opened. The tensors' bytes stay on disk until they are read.
public struct SafetensorsFile: TensorFile {
    /// The file, index or directory that was opened.
    public let path: String
    private let tensors: [String: StoredTensor]

    /// Opens a safetensors file, an index of shards (`*.json`), or a directory.
    ///
    /// The directory must have one of ``names``.
    public init(path: String) throws(ModelFileError) {
        guard FileKind(of: path) == .directory else {
            try self.init(InputFile(path: path))
            return
        }
        let files = Self.names.map { path + "/" + $0 }
        guard let file = files.first(where: { FileKind(of: $0) == .regular }) else {
            throw MissingWeights.error(in: path)
        }
        try self.init(InputFile(path: file))
    }

    /// The name of the file with the weights of a model.
    ///
    /// If matrices have formats of their own, the name is another: `transformers` does not know the
    /// scales of integers, and ignores these files.
    public static func name(withFormats: Bool) -> String {
        withFormats ? "espalier.safetensors" : "model.safetensors"
    }

    /// The names of the file, or of the index of shards, of a model in a directory.
    public static let names = [false, true].flatMap {
        [name(withFormats: $0), name(withFormats: $0) + ".index.json"]
    }

    /// Reads the header of an open file, or of each shard of an index.
    init(_ file: InputFile) throws(ModelFileError) {
        path = file.path
        tensors =
            path.hasSuffix(".json")
            ? try Self.shards(of: file) : try SafetensorsHeader(of: file).tensors
    }

    /// The names of all tensors, sorted.
    public var names: [String] { tensors.keys.sorted() }

    /// Returns the location of a tensor; nil if there is no tensor with that name.
    public func tensor(named name: String) -> StoredTensor? { tensors[name] }

    /// Returns the name of the file that contains a tensor, and the range of its bytes in that
    /// file.
    public func place(
        of name: String
    ) throws(ModelFileError) -> (file: String, bytes: Range<Int>) {
        guard let tensor = tensors[name] else { throw missing(name) }
        let path = tensor.file.path
        return (
            path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path,
            tensor.bytes
        )
    }

    /// The tensors of the shards that an index names.
    private static func shards(of index: InputFile) throws(ModelFileError)
        -> [String: StoredTensor]
    {
        let json = try JSONValue(parsing: index.bytes, file: index.path)
        guard let map = json.object?["weight_map"]?.object else {
            throw ModelFileError(
                file: index.path, subject: "weight_map", problem: "it is missing or not an object")
        }
        let directory = index.path.lastIndex(of: "/").map { String(index.path[...$0]) } ?? ""
        var headers: [String: SafetensorsHeader] = [:]
        var tensors: [String: StoredTensor] = [:]
        for (name, value) in map.sorted(by: { $0.key < $1.key }) {
            let subject = "weight_map, tensor \(quoted(name.text))"
            guard let shard = value.string, isPlainFileName(shard) else {
                throw ModelFileError(
                    file: index.path, subject: subject, problem: "its shard is not a file name")
            }
            if headers[shard] == nil {
                headers[shard] = try SafetensorsHeader(of: InputFile(path: directory + shard))
            }
            guard let tensor = headers[shard]?.tensors[name.text] else {
                throw ModelFileError(
                    file: index.path, subject: subject,
                    problem: "the shard \(quoted(shard)) does not hold it",
                    remedy: "fetch the index and all its shards again")
            }
            tensors[name.text] = tensor
        }
        return tensors
    }
}

/// Returns whether a name from a file is a plain file name, without directories and control
/// characters.
func isPlainFileName(_ name: String) -> Bool {
    !name.isEmpty && name != "." && name != ".."
        && name.unicodeScalars.allSatisfy { $0 != "/" && $0.value >= 0x20 }
}
