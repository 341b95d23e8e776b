import Tensors
import Testing

@testable import ModelFiles

@Suite("GGUFFile") struct GGUFFileTests {
    @Test("metadata of every type is read as the Python package wrote it")
    func goldenMetadata() throws {
        let file = try GGUFFile(path: fixture("quantized.gguf"))
        let want: [String: GGUFValue] = [
            "general.architecture": .string("test"), "t.u8": .integer(255),
            "t.i8": .integer(-128), "t.u16": .integer(65535), "t.i16": .integer(-32768),
            "t.u32": .integer(4_294_967_295), "t.i32": .integer(-2_147_483_648),
            "t.f32": .number(0.5), "t.bool": .bool(true), "t.string": .string("naïve 🦊"),
            "t.u64": .unsigned(.max), "t.i64": .integer(.min), "t.f64": .number(0.1),
            "t.integers": .integers([-1, 0, 2_147_483_647]), "t.numbers": .numbers([0.5, -2]),
            "t.bools": .bools([true, false]), "t.strings": .strings(["a", "", "Ġb"]),
            "t.nested": .array([.integers([1, 2]), .integers([3])]),
        ]
        for (key, value) in want { #expect(file.metadata[key] == value, "\(key)") }
        #expect(try file.integer("t.i16") == -32768)
        #expect(try file.number("t.f32") == 0.5)
        #expect(try file.number("t.u8") == 255)
        #expect(try file.string("t.string") == "naïve 🦊")
        #expect(try file.bool("t.bool"))
        #expect(try file.strings("t.strings").count == 3)
        #expect(try file.integers("t.integers").count == 3)
        let absent = #expect(throws: ModelFileError.self) { try file.integer("t.none") }
        #expect(absent?.description.contains("metadata \"t.none\": it is missing") == true)
        #expect(throws: ModelFileError.self) { try file.integer("t.string") }
        #expect(throws: ModelFileError.self) { try file.bool("t.u8") }
    }

    @Test("shapes begin with the dimension that varies slowest")
    func shapes() throws {
        let file = try GGUFFile(path: fixture("quantized.gguf"))
        #expect(file.shape(of: "f16") == [2, 3, 4])
        #expect(file.shape(of: "q4_1") == [6, 32])
        #expect(file.shape(of: "q6_k") == [2, 256])
        #expect(try file.matrix("q6_k").rows == 2)
        #expect(throws: ModelFileError.self) { try file.floats("i32") }
        #expect(throws: ModelFileError.self) { try file.floats("none") }
    }

    @Test("versions 2 and 3 are read at any alignment", arguments: [UInt32(2), 3], [8, 32, 128])
    func built(version: UInt32, alignment: Int) throws {
        var builder = GGUFBuilder()
        builder.version = version
        builder.alignment = alignment
        builder.values = [("general.alignment", 4, littleEndian(UInt32(alignment)))]
        builder.tensors = [("b", [2, 1], 0, UInt64(alignment)), ("a", [1], 0, 0)]
        builder.data = littleEndian(Float(1.5).bitPattern)
        builder.data += [UInt8](repeating: 0, count: alignment - 4)
        builder.data += littleEndian(Float(2).bitPattern) + littleEndian(Float(-3).bitPattern)
        let file = try openTensorFile(builder)
        #expect(file.names == ["a", "b"])
        #expect(try file.floats("a") == [1.5])
        #expect(try file.matrix("b").elements == [2, -3])
        #expect(file.shape(of: "b") == [1, 2])
        builder.data.removeLast()
        #expect(throws: ModelFileError.self) { try openTensorFile(builder) }
    }

    @Test("as many strings as in a vocabulary are read")
    func vocabulary() throws {
        let words = (0..<49152).map { "Ġ\($0)" }
        var builder = GGUFBuilder()
        builder.values = [
            (
                "tokens", 9,
                GGUFBuilder.array(8, count: words.count, words.flatMap(GGUFBuilder.string))
            )
        ]
        #expect(try GGUFFile(builder.file).strings("tokens") == words)
    }

    @Test("the error for an unsupported version names the version")
    func versions() {
        for (version, word): (UInt32, String) in [
            (0, "version 0"), (1, "version 1"), (4, "version 4"),
            (UInt32(3).byteSwapped, "big-endian"),
        ] {
            var builder = GGUFBuilder()
            builder.version = version
            let error = #expect(throws: ModelFileError.self) { try GGUFFile(builder.file) }
            #expect(error?.problem.contains(word) == true)
        }
    }

    @Test("counts that are too large give an error before memory is allocated")
    func counts() {
        let huge = littleEndian(UInt64(1) << 60)
        for value: (String, UInt32, [UInt8]) in [
            ("k", 8, huge), ("k", 9, littleEndian(UInt32(8)) + huge),
            ("k", 9, littleEndian(UInt32(0)) + huge), ("k", 9, littleEndian(UInt32(12)) + huge),
            ("k", 9, littleEndian(UInt32(9)) + huge), ("k", 9, littleEndian(UInt32(77)) + huge),
            ("k", 13, []), ("k", 7, [2]), ("", 0, [1]), ("k\n", 0, [1]),
            ("general.alignment", 4, littleEndian(UInt32(0))),
            ("general.alignment", 4, littleEndian(UInt32(48))),
            ("general.alignment", 8, GGUFBuilder.string("32")),
        ] {
            var builder = GGUFBuilder()
            builder.values = [value]
            builder.data = [UInt8](repeating: 0, count: 64)
            #expect(throws: ModelFileError.self) { try GGUFFile(builder.file) }
        }
        for count in [UInt64.max, 1 << 63, 1 << 60, 1000] {
            var builder = GGUFBuilder()
            builder.valueCount = count
            #expect(throws: ModelFileError.self) { try GGUFFile(builder.file) }
            builder.valueCount = nil
            builder.tensorCount = count
            #expect(throws: ModelFileError.self) { try GGUFFile(builder.file) }
        }
    }

    @Test("arrays that are nested too deeply give an error")
    func nesting() {
        var builder = GGUFBuilder()
        var bytes = GGUFBuilder.array(0, count: 1, [7])
        for _ in 0..<1000 { bytes = GGUFBuilder.array(9, count: 1, bytes) }
        builder.values = [("k", 9, bytes)]
        #expect(throws: ModelFileError.self) { try GGUFFile(builder.file) }
    }

    @Test("tensors with invalid names, shapes, types or offsets give an error")
    func tensors() {
        for tensors: [(String, [UInt64], UInt32, UInt64)] in [
            [("a", [4], 0, 0), ("a", [4], 0, 32)],
            [("a", [16], 0, 0), ("b", [4], 0, 32)],
            [("a", [4], 0, 8)], [("a", [4], 0, 96)], [("a", [4], 0, .max - 31)],
            [("a", [4], 0, 1 << 62)], [("a", [4], 17, 0)], [("a", [48], 2, 0)],
            [("a", [16, 2], 2, 0)], [("a", [1 << 62, 4], 0, 0)], [("a", [.max], 0, 0)],
            [("a", [1, 1, 1, 1, 1], 0, 0)], [("", [4], 0, 0)], [("a", [100], 0, 0)],
        ] {
            var builder = GGUFBuilder()
            builder.tensors = tensors
            builder.data = [UInt8](repeating: 0, count: 96)
            #expect(throws: ModelFileError.self, "\(tensors)") { try GGUFFile(builder.file) }
        }
    }

    @Test("a key that occurs twice gives an error")
    func duplicateKeys() {
        var builder = GGUFBuilder()
        builder.values = [("k", 0, [1]), ("k", 0, [2])]
        #expect(throws: ModelFileError.self) { try GGUFFile(builder.file) }
    }

    /// Writes a built file to disk and opens it with the function for all tensor files.
    private func openTensorFile(_ builder: GGUFBuilder) throws -> any TensorFile {
        var file: (any TensorFile)?
        try withTemporaryDirectory { directory in
            try AtomicFile.write(builder.bytes, to: directory + "/model")
            file = try ModelFiles.openTensorFile(directory + "/model")
        }
        return try #require(file)
    }
}
