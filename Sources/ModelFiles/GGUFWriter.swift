public import Tensors

/// Writes GGUF files of version 3, with one tensor in memory at a time.
///
/// Format: github.com/ggml-org/ggml/blob/master/docs/gguf.md.
public enum GGUFWriter {
    /// A tensor to be written.
    public struct Entry: Sendable, Hashable {
        /// A name unique in the file.
        public let name: String
        /// The sizes, the slowest-varying first.
        public let shape: [Int]
        /// The stored type: `f32`, `f16`, `bf16`, `q80` or `q40`.
        public let type: DType

        /// Describes a tensor.
        public init(name: String, shape: [Int], type: DType) {
            self.name = name
            self.shape = shape
            self.type = type
        }
    }

    /// The elements of a tensor.
    public enum Elements: Sendable {
        /// Numbers, which are converted to the stored type.
        case floats([Float])
        /// The bytes of the stored type.
        case stored([UInt8])
    }

    /// Tensors start at multiples of this number of bytes.
    private static let alignment = 32

    /// Writes a file that gets its name only when it is complete.
    ///
    /// - Parameters:
    ///   - entries: The tensors, in the order of the file.
    ///   - metadata: Values by key. `general.architecture` is written first, then all other values
    ///     in the order of their keys.
    ///   - path: The file, which is replaced if it exists.
    ///   - elements: Called once for each entry, in order; returns the entry's elements.
    /// - Throws: ``ModelFileError``, or the error of `elements`. No file remains after an error.
    public static func write(
        _ entries: [Entry], metadata: [String: GGUFValue], to path: String,
        elements: (Entry) throws -> Elements
    ) throws {
        var header = ByteWriter()
        header.append(Array("GGUF".utf8))
        header.append(UInt32(3))
        header.append(UInt64(entries.count))
        header.append(UInt64(metadata.count))
        // Readers expect the architecture before the values that depend on it.
        let first = "general.architecture"
        let keys = metadata.keys.sorted { ($0 == first ? "" : $0) < ($1 == first ? "" : $1) }
        for key in keys {
            header.append(key)
            metadata[key]?.append(to: &header)
        }
        var end = 0
        for entry in entries {
            let size = try size(of: entry, path: path)
            header.append(entry.name)
            header.append(UInt32(entry.shape.count))
            for size in entry.shape.reversed() { header.append(UInt64(size)) }
            header.append(entry.type.ggmlCode ?? 0)
            header.append(UInt64(end))
            end += padded(size)
        }
        header.pad(to: alignment)
        let file = try AtomicFile(path)
        try file.append(header.bytes)
        for entry in entries {
            let size = try size(of: entry, path: path)
            switch try elements(entry) {
            case .floats(let elements):
                let count = entry.shape.reduce(1, *)
                guard elements.count == count else {
                    throw fault(
                        path, entry,
                        "it has \(elements.count) elements, but its shape has \(count)")
                }
                try file.append(elements, as: entry.type, tensor: entry.name)
            case .stored(let bytes):
                guard bytes.count == size else {
                    throw fault(
                        path, entry, "it has \(bytes.count) bytes, but its shape has \(size)")
                }
                try file.append(bytes)
            }
            try file.append([UInt8](repeating: 0, count: padded(size) - size))
        }
        try file.commit()
    }

    /// Writes a file of numbers, which are converted to the stored types.
    ///
    /// - Parameters:
    ///   - entries: The tensors, in the order of the file.
    ///   - metadata: Values by key.
    ///   - path: The file, which is replaced if it exists.
    ///   - floats: Called once for each entry, in order; returns the entry's elements.
    /// - Throws: ``ModelFileError``, or the error of `floats`. No file remains after an error.
    public static func write(
        _ entries: [Entry], metadata: [String: GGUFValue], to path: String,
        floats: (Entry) throws -> [Float]
    ) throws {
        try write(entries, metadata: metadata, to: path, elements: { .floats(try floats($0)) })
    }

    private static func padded(_ size: Int) -> Int {
        (size + alignment - 1) / alignment * alignment
    }

    private static func size(of entry: Entry, path: String) throws(ModelFileError) -> Int {
        guard [.f32, .f16, .bf16, .q80, .q40].contains(entry.type) else {
            throw fault(path, entry, "tensors cannot be written as \(entry.type.rawValue)")
        }
        guard (entry.shape.last ?? 1) % entry.type.blockSize == 0,
            let size = StoredTensor.size(of: entry.shape, as: StoredType(entry.type))
        else {
            throw fault(
                path, entry,
                "its shape \(entry.shape) is too large, or its rows are not divisible into blocks of "
                    + "\(entry.type.blockSize)")
        }
        return size.bytes
    }

    private static func fault(_ path: String, _ entry: Entry, _ problem: String) -> ModelFileError {
        ModelFileError(
            file: path, subject: "tensor \(quoted(entry.name))", problem: problem,
            remedy: "give every tensor its own name, shape and type")
    }
}

/// A buffer of little-endian numbers and of strings with their lengths.
private struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ more: [UInt8]) { bytes += more }

    mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }

    mutating func append(_ text: String) {
        append(UInt64(text.utf8.count))
        bytes += text.utf8
    }

    mutating func pad(to alignment: Int) {
        bytes += [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment)
    }
}

extension GGUFValue {
    /// Writes the code of the type, and the value.
    ///
    /// Integers are written with 32 bits if they fit. Single integers are then unsigned unless they
    /// are negative, as readers expect for sizes and token ids. Integers in arrays are signed, as
    /// readers expect for token types. Floats are written with 32 bits if that does not change
    /// them.
    fileprivate func append(to writer: inout ByteWriter) {
        writer.append(typeCode)
        appendElement(to: &writer, as: typeCode)
    }

    private var typeCode: UInt32 {
        switch self {
        case .integer(let value):
            UInt32(exactly: value) != nil ? 4 : Int32(exactly: value) != nil ? 5 : 11
        case .unsigned: 10
        case .number(let value): Self.fits(value) ? 6 : 12
        case .bool: 7
        case .string: 8
        case .integers, .numbers, .bools, .strings, .array: 9
        }
    }

    private static func fits(_ value: Double) -> Bool {
        value.isNaN || Double(Float(value)) == value
    }

    private func appendElement(to writer: inout ByteWriter, as code: UInt32) {
        switch self {
        case .integer(let value):
            switch code {
            case 4: writer.append(UInt32(truncatingIfNeeded: value))
            case 5: writer.append(Int32(truncatingIfNeeded: value))
            default: writer.append(Int64(value))
            }
        case .unsigned(let value): writer.append(value)
        case .number(let value):
            if code == 6 {
                writer.append(Float(value).bitPattern)
            } else {
                writer.append(value.bitPattern)
            }
        case .bool(let value): writer.append(UInt8(value ? 1 : 0))
        case .string(let value): writer.append(value)
        case .integers(let values):
            let code: UInt32 = values.allSatisfy { Int32(exactly: $0) != nil } ? 5 : 11
            Self.append(values.map(GGUFValue.integer), as: code, to: &writer)
        case .numbers(let values):
            Self.append(
                values.map(GGUFValue.number), as: values.allSatisfy(Self.fits) ? 6 : 12,
                to: &writer)
        case .bools(let values): Self.append(values.map(GGUFValue.bool), as: 7, to: &writer)
        case .strings(let values): Self.append(values.map(GGUFValue.string), as: 8, to: &writer)
        case .array(let values):
            let isOfArrays = values.allSatisfy { $0.typeCode == 9 }
            Self.append(
                values.map { isOfArrays ? $0 : $0.widened }, as: isOfArrays ? 9 : 10, to: &writer)
        }
    }

    /// A non-negative integer as 64 unsigned bits.
    private var widened: GGUFValue {
        guard case .integer(let value) = self else { return self }
        return .unsigned(UInt64(bitPattern: Int64(value)))
    }

    private static func append(
        _ values: [GGUFValue], as code: UInt32, to writer: inout ByteWriter
    ) {
        writer.append(code)
        writer.append(UInt64(values.count))
        for value in values { value.appendElement(to: &writer, as: code) }
    }
}
