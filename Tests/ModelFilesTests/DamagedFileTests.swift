import TestSupport
import Testing

@testable import ModelFiles

/// Every reader gets thousands of damaged files.
///
/// A reader must return or throw, and never trap.
@Suite("Damaged files") struct DamagedFileTests {
    @Test("a damaged safetensors file is read or gives an error")
    func safetensorsFiles() throws {
        let original = try fixtureBytes("floats.safetensors")
        let header = 8 + original[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
        try damage(original, header: header) { bytes throws(ModelFileError) in
            try readAll(SafetensorsFile(InputFile(bytes, path: "test.safetensors")))
        }
    }

    @Test("a damaged index of shards is read or gives an error")
    func indexes() throws {
        let path = "sharded/model.safetensors.index.json"
        let original = try fixtureBytes(path)
        try damage(original, header: original.count) { bytes throws(ModelFileError) in
            try readAll(SafetensorsFile(InputFile(bytes, path: fixture(path))))
        }
    }

    @Test("a damaged GGUF file of the Python package is read or gives an error")
    func ggufFiles() throws {
        let original = try fixtureBytes("quantized.gguf")
        try damage(original, header: 2800) { bytes throws(ModelFileError) in
            try readAll(GGUFFile(InputFile(bytes, path: "test.gguf")))
        }
    }

    /// Reads every tensor that can be read.
    private func readAll(_ file: some TensorFile) throws(ModelFileError) {
        for name in file.names {
            guard let shape = file.shape(of: name) else { continue }
            guard let floats = try? file.floats(name) else { continue }
            #expect(floats.count == shape.reduce(1, *))
        }
    }
}
