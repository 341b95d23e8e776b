/// The metadata and tensors of a GGUF file of version 2 or 3, little-endian.
///
/// Format: github.com/ggml-org/ggml/blob/master/docs/gguf.md. The complete header is checked when
/// the file is opened. The tensors' bytes stay on disk until they are read.
public struct GGUFFile: TensorFile {
    /// The file that was opened.
    public let path: String
    /// All metadata by key, such as `general.architecture`.
    public let metadata: [String: GGUFValue]
    private let tensors: [String: StoredTensor]

    /// Opens a file.
    public init(path: String) throws(ModelFileError) {
        try self.init(InputFile(path: path))
    }

    /// Reads the header of an open file.
    init(_ file: InputFile) throws(ModelFileError) {
        path = file.path
        let header = try GGUFHeader(of: file)
        metadata = header.metadata
        tensors = header.tensors
    }

    /// The names of all tensors, sorted.
    public var names: [String] { tensors.keys.sorted() }

    /// Returns the location of a tensor; nil if there is no tensor with that name.
    public func tensor(named name: String) -> StoredTensor? { tensors[name] }
}

extension GGUFFile {
    /// Returns the integer for a key.
    public func integer(_ key: String) throws(ModelFileError) -> Int {
        guard case .integer(let value) = try value(key) else { throw mismatch(key, "an integer") }
        return value
    }

    /// Returns the number for a key, which may be an integer or a float of any width.
    public func number(_ key: String) throws(ModelFileError) -> Double {
        switch try value(key) {
        case .number(let value): return value
        case .integer(let value): return Double(value)
        default: throw mismatch(key, "a number")
        }
    }

    /// Returns the string for a key.
    public func string(_ key: String) throws(ModelFileError) -> String {
        guard case .string(let value) = try value(key) else { throw mismatch(key, "a string") }
        return value
    }

    /// Returns the boolean for a key.
    public func bool(_ key: String) throws(ModelFileError) -> Bool {
        guard case .bool(let value) = try value(key) else { throw mismatch(key, "a boolean") }
        return value
    }

    /// Returns the strings for a key.
    public func strings(_ key: String) throws(ModelFileError) -> [String] {
        guard case .strings(let value) = try value(key) else {
            throw mismatch(key, "a list of strings")
        }
        return value
    }

    /// Returns the integers for a key.
    public func integers(_ key: String) throws(ModelFileError) -> [Int] {
        guard case .integers(let value) = try value(key) else {
            throw mismatch(key, "a list of integers")
        }
        return value
    }

    /// Returns the value for a key.
    private func value(_ key: String) throws(ModelFileError) -> GGUFValue {
        guard let value = metadata[key] else {
            throw ModelFileError(
                file: path, subject: "metadata \(quoted(key))", problem: "it is missing",
                remedy: "convert the model to GGUF again")
        }
        return value
    }

    private func mismatch(_ key: String, _ wanted: String) -> ModelFileError {
        ModelFileError(
            file: path, subject: "metadata \(quoted(key))", problem: "it is not \(wanted)",
            remedy: "convert the model to GGUF again")
    }
}
