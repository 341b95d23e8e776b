import Foundation
import Tensors

@testable import ModelFiles

/// Returns the path of a reference file that `scripts/make-quantized-fixtures` wrote.
func fixture(_ name: String) -> String {
    Bundle.module.resourceURL?.appending(path: "Fixtures/\(name)").path ?? name
}

/// Returns the bytes of a reference file.
func fixtureBytes(_ name: String) throws -> [UInt8] {
    let file = try InputFile(path: fixture(name))
    return try file.bytes(in: 0..<file.count)
}

/// Calls `body` with the path of an empty directory, and then removes the directory.
func withTemporaryDirectory(_ body: (String) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: directory) }
    try body(directory.path)
}

/// Returns the sorted names of the files in a directory.
func contents(of directory: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
}

/// Returns the little-endian bytes of an integer.
func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
}

/// Returns a safetensors file with the given header and data.
func safetensors(_ header: String, data: [UInt8] = []) -> InputFile {
    InputFile(littleEndian(UInt64(header.utf8.count)) + Array(header.utf8) + data, path: "test")
}
