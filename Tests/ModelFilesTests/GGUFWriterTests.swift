import Tensors
import TestSupport
import Testing

@testable import ModelFiles

@Suite("GGUFWriter")
struct GGUFWriterTests {
    private let metadata: [String: GGUFValue] = [
        "general.architecture": .string("test"), "a.size": .integer(4_294_967_295),
        "a.negative": .integer(-3), "a.large": .integer(1 << 40), "a.huge": .unsigned(.max),
        "a.half": .number(0.5), "a.tenth": .number(0.1), "a.flag": .bool(true),
        "a.name": .string("naïve 🦊"), "a.integers": .integers([-1, 0, 2_147_483_647]),
        "a.wide": .integers([1 << 40]), "a.numbers": .numbers([0.5, -2]),
        "a.bools": .bools([true, false]), "a.strings": .strings(["a", "", "Ġb"]),
        "a.nested": .array([.integers([1, 2]), .integers([3])]),
        "a.mixed": .array([.integer(1), .unsigned(.max)]), "a.none": .strings([]),
    ]

    @Test(
        "written tensors and metadata can be read", arguments: [DType.f32, .f16, .bf16, .q80, .q40])
    func roundTrip(type: DType) throws {
        var random = SplitMix64(seed: 3)
        let shapes = ["b": [3, 64], "a": [2, 1, 32], "none": [0, 32]]
        // Numbers that the type represents exactly.
        let values = shapes.mapValues { shape in
            let source = (0..<shape.reduce(1, *)).map { _ in
                Float.random(in: -1...1, using: &random)
            }
            return type.floats(from: type.bytes(from: source.span).span.bytes)
        }
        let entries = ["b", "none", "a"].map {
            GGUFWriter.Entry(name: $0, shape: shapes[$0] ?? [], type: type)
        }
        try withTemporaryDirectory { directory in
            let path = directory + "/test.gguf"
            var order: [String] = []
            try GGUFWriter.write(entries, metadata: metadata, to: path) { entry in
                order.append(entry.name)
                return values[entry.name] ?? []
            }
            #expect(order == ["b", "none", "a"])
            let file = try GGUFFile(path: path)
            #expect(file.metadata == metadata)
            #expect(file.names == ["a", "b", "none"])
            for (name, shape) in shapes {
                #expect(file.shape(of: name) == shape && file.type(of: name) == type)
                // Blocks that are quantised twice change only in the last place.
                expectClose(try file.floats(name), values[name] ?? [], absolute: 2e-3)
            }
            let names = try contents(of: directory)
            #expect(names == ["test.gguf"])
        }
    }

    @Test("wrong sizes and unsupported types give an error and leave no file")
    func refuses() throws {
        try withTemporaryDirectory { directory in
            func write(_ shape: [Int], _ type: DType, count: Int) throws {
                try GGUFWriter.write(
                    [GGUFWriter.Entry(name: "t", shape: shape, type: type)], metadata: [:],
                    to: directory + "/test.gguf"
                ) { _ in [Float](repeating: 0, count: count) }
            }
            #expect(throws: ModelFileError.self) { try write([2, 31], .q80, count: 62) }
            #expect(throws: ModelFileError.self) { try write([2, 256], .q6K, count: 512) }
            #expect(throws: ModelFileError.self) { try write([2, 32], .f32, count: 63) }
            let left = try contents(of: directory)
            #expect(left.isEmpty)
        }
    }
}
