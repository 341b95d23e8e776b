@testable import ModelFiles

/// Builds valid and invalid GGUF files from parts.
struct GGUFBuilder {
    var version: UInt32 = 3
    var values: [(key: String, type: UInt32, bytes: [UInt8])] = []
    var tensors: [(name: String, sizes: [UInt64], type: UInt32, offset: UInt64)] = []
    var valueCount: UInt64?
    var tensorCount: UInt64?
    var alignment = 32
    var data: [UInt8] = []

    /// Returns a string in the format of GGUF: length, then UTF-8.
    static func string(_ text: String) -> [UInt8] {
        littleEndian(UInt64(text.utf8.count)) + Array(text.utf8)
    }

    /// Returns an array in the format of GGUF: element type, count, elements.
    static func array(_ type: UInt32, count: Int, _ elements: [UInt8]) -> [UInt8] {
        littleEndian(type) + littleEndian(UInt64(count)) + elements
    }

    var bytes: [UInt8] {
        var bytes = Array("GGUF".utf8) + littleEndian(version)
        bytes += littleEndian(tensorCount ?? UInt64(tensors.count))
        bytes += littleEndian(valueCount ?? UInt64(values.count))
        for value in values {
            bytes += Self.string(value.key) + littleEndian(value.type) + value.bytes
        }
        for tensor in tensors {
            bytes += Self.string(tensor.name) + littleEndian(UInt32(tensor.sizes.count))
            bytes += tensor.sizes.flatMap(littleEndian) + littleEndian(tensor.type)
            bytes += littleEndian(tensor.offset)
        }
        while bytes.count % alignment != 0 { bytes.append(0) }
        return bytes + data
    }

    var file: InputFile { InputFile(bytes, path: "test.gguf") }
}
