import Foundation
import Tensors

@testable import ModelFiles

/// The path of a golden file made by `scripts/make-quantized-fixtures`.
func fixture(_ name: String) -> String {
    Bundle.module.resourceURL?.appending(path: "Fixtures/\(name)").path ?? name
}

/// The bytes of a golden file.
func fixtureBytes(_ name: String) throws -> [UInt8] {
    let file = try InputFile(path: fixture(name))
    return try file.bytes(in: 0..<file.count)
}

/// Calls a function with the path of an empty directory, removed afterwards.
func withTemporaryDirectory(_ body: (String) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: directory) }
    try body(directory.path)
}

/// The names in a directory, sorted.
func contents(of directory: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
}

/// The little-endian bytes of an integer.
func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
}

/// A safetensors file of a header's text and data.
func safetensors(_ header: String, data: [UInt8] = []) -> InputFile {
    InputFile(littleEndian(UInt64(header.utf8.count)) + Array(header.utf8) + data, path: "test")
}
