import Tensors

/// The checked header of a GGUF file.
struct GGUFHeader {
    let metadata: [String: GGUFValue]
    let tensors: [String: StoredTensor]

    init(of file: InputFile) throws(ModelFileError) {
        var reader = ByteReader(file)
        guard file.count >= 4, try reader.take(4).elementsEqual("GGUF".utf8) else {
            throw ForeignFile.error(of: file)
                ?? reader.fault("it does not begin with \"GGUF\"", remedy: "name a GGUF file")
        }
        let version = try reader.integer(UInt32.self)
        guard version == 2 || version == 3 else {
            let isBigEndian = (1...3).contains(version.byteSwapped)
            let what = isBigEndian ? "big-endian" : "of version \(version)"
            throw reader.fault(
                "the file is \(what), but only little-endian versions 2 and 3 are supported",
                remedy: "convert the model to GGUF again with current tools")
        }
        // A tensor has at least 24 bytes: the length of its name, the number of its dimensions, its
        // type and its offset. A value has at least 13 bytes: the length of its key, its type, and
        // one byte.
        let tensorCount = try reader.count(ofAtLeast: 24)
        let valueCount = try reader.count(ofAtLeast: 13)
        metadata = try Self.metadata(valueCount, from: &reader)
        let alignment = try Self.alignment(metadata, reader)
        var descriptions: [Description] = []
        for index in 0..<tensorCount {
            reader.subject = "tensor \(index)"
            descriptions.append(try Description(from: &reader, alignment: alignment))
        }
        tensors = try Self.place(descriptions, alignment: alignment, reader)
    }

    private static func metadata(
        _ count: Int, from reader: inout ByteReader
    ) throws(ModelFileError) -> [String: GGUFValue] {
        var metadata: [String: GGUFValue] = [:]
        for index in 0..<count {
            reader.subject = "metadata \(index)"
            let key = try reader.name()
            reader.subject = "metadata \(quoted(key))"
            let value = try GGUFValue(from: &reader, type: reader.integer(), depth: 0)
            guard metadata.updateValue(value, forKey: key) == nil else {
                throw reader.fault("it occurs twice")
            }
        }
        return metadata
    }

    /// Returns the alignment of the data and of each tensor.
    private static func alignment(
        _ metadata: [String: GGUFValue], _ reader: ByteReader
    ) throws(ModelFileError) -> Int {
        guard let value = metadata["general.alignment"] else { return 32 }
        guard case .integer(let alignment) = value, 1...(1 << 30) ~= alignment,
            alignment.nonzeroBitCount == 1
        else { throw reader.fault("general.alignment is not a power of two") }
        return alignment
    }

    /// Computes the ranges of the tensors' bytes.
    ///
    /// The data begins after the descriptions, at the position of the reader.
    private static func place(
        _ descriptions: [Description], alignment: Int, _ reader: ByteReader
    ) throws(ModelFileError) -> [String: StoredTensor] {
        var reader = reader
        let file = reader.file
        let start = (reader.offset + alignment - 1) / alignment * alignment
        var tensors: [String: StoredTensor] = [:]
        var end = 0
        for tensor in descriptions.sorted(by: { $0.order < $1.order }) {
            reader.subject = "tensor \(quoted(tensor.name))"
            guard tensor.offset >= end else {
                throw reader.fault("it overlaps the previous tensor")
            }
            guard tensor.offset <= file.count,
                let bytes = file.range(from: start + tensor.offset, count: tensor.byteCount)
            else {
                throw reader.fault(
                    "its \(tensor.byteCount) bytes at offset \(tensor.offset) of the data end "
                        + "beyond the file of \(file.count) bytes")
            }
            end = tensor.offset + tensor.byteCount
            let stored = StoredTensor(
                file: file, type: tensor.type, shape: tensor.shape, bytes: bytes)
            guard tensors.updateValue(stored, forKey: tensor.name) == nil else {
                throw reader.fault("its name occurs twice")
            }
        }
        return tensors
    }
}

/// The description of a tensor in a GGUF file.
private struct Description {
    let name: String
    let type: StoredType
    let shape: [Int]
    /// The offset from the start of the data.
    let offset: Int
    let byteCount: Int

    /// The key to sort tensors by position in the file; empty tensors come first.
    var order: (Int, Int, String) { (offset, byteCount, name) }

    init(from reader: inout ByteReader, alignment: Int) throws(ModelFileError) {
        name = try reader.name()
        reader.subject = "tensor \(quoted(name))"
        let dimensions = try reader.integer(UInt32.self)
        guard dimensions <= 4 else {
            throw reader.fault("it has \(dimensions) dimensions, but at most 4 are supported")
        }
        var sizes: [Int] = []
        for _ in 0..<dimensions {
            guard let size = Int(exactly: try reader.integer(UInt64.self)) else {
                throw reader.fault("one of its sizes is too large")
            }
            sizes.append(size)
        }
        shape = sizes.reversed()
        let code = try reader.integer(UInt32.self)
        guard let type = StoredType(ggml: code) else {
            let known = StoredType.ggmlRetired[code].map { "\($0), which GGML no longer supports" }
            throw reader.fault(
                "its GGML type is \(code), " + (known ?? "which is unknown"),
                remedy: "convert the model to F32, F16, BF16, Q8_0, Q4_0 to Q5_1 or Q2_K to Q6_K")
        }
        guard (sizes.first ?? 1) % type.blockSize == 0,
            let size = StoredTensor.size(of: shape, as: type)
        else {
            throw reader.fault(
                "its shape \(shape) is too large, or its rows are not divisible into blocks of "
                    + "\(type.blockSize)")
        }
        guard let offset = Int(exactly: try reader.integer(UInt64.self)), offset % alignment == 0
        else { throw reader.fault("its offset is too large or not a multiple of \(alignment)") }
        self.type = type
        self.offset = offset
        byteCount = size.bytes
    }
}

extension DType {
    /// GGML's codes of the supported types.
    private static let ggmlCodes: [DType: UInt32] = [
        .f32: 0, .f16: 1, .q40: 2, .q41: 3, .q50: 6, .q51: 7, .q80: 8, .q2K: 10, .q3K: 11,
        .q4K: 12, .q5K: 13, .q6K: 14, .i8: 24, .i16: 25, .i32: 26, .i64: 27, .f64: 28, .bf16: 30,
    ]

    /// GGML's code of the type; nil if GGML does not have the type.
    var ggmlCode: UInt32? { Self.ggmlCodes[self] }

    /// The type with a GGML code; nil if it is not supported.
    init?(ggml code: UInt32) {
        guard let type = Self.ggmlCodes.first(where: { $0.value == code })?.key else { return nil }
        self = type
    }
}
