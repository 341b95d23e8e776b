import Tensors
import Testing

@testable import ModelFiles

@Suite("SafetensorsWriter") struct SafetensorsWriterTests {
    private struct Interruption: Error {}

    @Test("tensors of each type can be written and read")
    func roundTrip() throws {
        try withTemporaryDirectory { directory in
            var random = SplitMix64(seed: 1)
            let entries: [SafetensorsWriter.Entry] = [
                .init(name: "half", shape: [5], type: .f16),
                .init(name: "b", shape: [3, 1, 7]),
                .init(name: "brain", shape: [5], type: .bf16),
                .init(name: "naïve \"\\\u{1}\n", shape: []),
                .init(name: "empty", shape: [0, 9]),
                .init(name: "large", shape: [1100, 1000]),
            ]
            var values: [String: [Float]] = [:]
            for entry in entries {
                values[entry.name] = (0..<entry.shape.reduce(1, *)).map { _ in
                    Float(Int.random(in: -128...128, using: &random)) / 4
                }
            }
            let path = directory + "/model.safetensors"
            try SafetensorsWriter.write(entries, to: path) { values[$0.name] ?? [] }
            #expect(try contents(of: directory) == ["model.safetensors"])
            let file = try SafetensorsFile(path: directory)
            #expect(file.names == entries.map(\.name).sorted())
            for entry in entries {
                #expect(file.shape(of: entry.name) == entry.shape)
                #expect(file.type(of: entry.name) == entry.type)
                #expect(try file.floats(entry.name) == values[entry.name])
            }
            let mapped = try InputFile(path: path)
            #expect(try mapped.bytes(in: 0..<1)[0] % 8 == 0)
            #expect(
                try mapped.bytes(in: 8..<42) == Array(#"{"__metadata__":{"format":"pt"},"b"#.utf8))
        }
    }

    @Test("an error while writing leaves the old file and no temporary file")
    func failures() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/model.safetensors"
            try AtomicFile.write(Array("old".utf8), to: path)
            let entry = SafetensorsWriter.Entry(name: "a", shape: [2])
            #expect(throws: Interruption.self) {
                try SafetensorsWriter.write([entry], to: path) { _ in throw Interruption() }
            }
            #expect(throws: ModelFileError.self) {
                try SafetensorsWriter.write([entry], to: path) { _ in [1, 2, 3] }
            }
            for bad in [
                SafetensorsWriter.Entry(name: "a", shape: [1]), .init(name: "b", shape: [-1]),
                .init(name: "b", shape: [.max, 2]), .init(name: "b", shape: [1], type: .q80),
                .init(name: "b", shape: [1], type: .i64), .init(name: "__metadata__", shape: [1]),
            ] {
                #expect(throws: ModelFileError.self) {
                    try SafetensorsWriter.write([entry, bad], to: path) { _ in [] }
                }
            }
            #expect(try contents(of: directory) == ["model.safetensors"])
            #expect(try InputFile(path: path).bytes == Array("old".utf8))
        }
    }
}
