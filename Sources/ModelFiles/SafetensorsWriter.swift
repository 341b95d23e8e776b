public import Tensors

/// Writes safetensors files, with one tensor in memory at a time.
public enum SafetensorsWriter {
    /// A tensor to be written.
    public struct Entry: Sendable, Hashable {
        /// A name unique in the file.
        public let name: String
        /// The sizes, the slowest-varying first.
        public let shape: [Int]
        /// The stored type: `f32`, `f16`, `bf16`, `i8` or `u8`.
        public let type: DType

        /// Describes a tensor.
        public init(name: String, shape: [Int], type: DType = .f32) {
            self.name = name
            self.shape = shape
            self.type = type
        }
    }

    /// Writes a file that gets its name only when it is complete.
    ///
    /// - Parameters:
    ///   - entries: The tensors, in any order. In the file they are sorted by the width of the
    ///     type, wide types first, and then by name, so that equal content gives equal bytes.
    ///   - path: The file, which is replaced if it exists.
    ///   - metadata: The value of `__metadata__` in the header.
    ///   - floats: Called once for each entry, in the order of the file; returns the entry's
    ///     elements. The elements of `i8` are whole numbers.
    /// - Throws: ``ModelFileError``, or the error of `floats`. No file remains after an error.
    public static func write(
        _ entries: [Entry], to path: String, metadata: [String: String] = ["format": "pt"],
        floats: (Entry) throws -> [Float]
    ) throws {
        let sorted = entries.sorted {
            ($1.type.bytesPerBlock, $0.name) < ($0.type.bytesPerBlock, $1.name)
        }
        let file = try AtomicFile(path)
        try file.append(header(of: sorted, metadata: metadata, path: path))
        for entry in sorted {
            let elements = try floats(entry)
            let count = entry.shape.reduce(1, *)
            guard elements.count == count else {
                throw fault(
                    path, entry, "it has \(elements.count) elements, but its shape has \(count)")
            }
            try file.append(elements, as: entry.type, tensor: entry.name)
        }
        try file.commit()
    }

    /// Returns the length and the JSON of the header, padded so that the tensors start at a
    /// multiple of 8.
    private static func header(
        of entries: [Entry], metadata: [String: String], path: String
    ) throws(ModelFileError) -> [UInt8] {
        var members: [JSONKey: JSONValue] = [
            "__metadata__": .object(ofStrings: metadata)
        ]
        var end = 0
        for entry in entries {
            guard [.f32, .f16, .bf16, .i8, .u8].contains(entry.type),
                let code = entry.type.safetensorsName
            else { throw fault(path, entry, "tensors cannot be written as \(entry.type.rawValue)") }
            guard let size = StoredTensor.size(of: entry.shape, as: StoredType(entry.type)),
                size.bytes <= Int.max - end
            else { throw fault(path, entry, "its shape \(entry.shape) is negative or too large") }
            let tensor: JSONValue = .object([
                "dtype": .string(code),
                "shape": .array(entry.shape.map(JSONValue.integer)),
                "data_offsets": .array([.integer(end), .integer(end + size.bytes)]),
            ])
            guard members.updateValue(tensor, forKey: JSONKey(entry.name)) == nil else {
                throw fault(path, entry, "another tensor has this name")
            }
            end += size.bytes
        }
        var text = JSONValue.object(members).encoded()
        text += [UInt8](repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
        return (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) } + text
    }

    private static func fault(_ path: String, _ entry: Entry, _ problem: String) -> ModelFileError {
        ModelFileError(
            file: path, subject: "tensor \(quoted(entry.name))", problem: problem,
            remedy: "give every tensor its own name, shape and type")
    }
}
