import Testing

@testable import ModelFiles

@Suite("StoredType") struct StoredTypeTests {
    @Test("every GGML type has a name and can be listed, even if its values cannot be read")
    func ggml() throws {
        let names: [UInt32: String] = [
            0: "f32", 1: "f16", 2: "q4_0", 3: "q4_1", 6: "q5_0", 7: "q5_1", 8: "q8_0", 9: "q8_1",
            10: "q2_k", 11: "q3_k", 12: "q4_k", 13: "q5_k", 14: "q6_k", 15: "q8_k", 16: "iq2_xxs",
            17: "iq2_xs", 18: "iq3_xxs", 19: "iq1_s", 20: "iq4_nl", 21: "iq3_s", 22: "iq2_s",
            23: "iq4_xs", 24: "i8", 25: "i16", 26: "i32", 27: "i64", 28: "f64", 29: "iq1_m",
            30: "bf16", 34: "tq1_0", 35: "tq2_0", 39: "mxfp4", 40: "nvfp4", 41: "q1_0",
        ]
        for code in UInt32(0)..<64 { #expect(StoredType(ggml: code)?.name == names[code]) }
        var builder = GGUFBuilder()
        builder.tensors = [("a", [64], 20, 0)]
        builder.data = [UInt8](repeating: 0, count: 36)
        let file = try GGUFFile(builder.file)
        #expect(file.storedType(of: "a")?.name == "iq4_nl" && file.type(of: "a") == nil)
        let error = #expect(throws: ModelFileError.self) { try file.floats("a") }
        #expect(error?.problem.contains("iq4_nl") == true)
        for (code, part) in [(UInt32(31), "q4_0_4_4"), (99, "99")] {
            builder.tensors = [("a", [64], code, 0)]
            let error = #expect(throws: ModelFileError.self) { try GGUFFile(builder.file) }
            #expect(error?.problem.contains(part) == true)
        }
    }

    @Test(
        "every data type of safetensors can be listed",
        arguments: [
            ("F8_E4M3", 1.0), ("F8_E5M2", 1), ("F8_E8M0", 1), ("F4", 0.5), ("F6_E2M3", 0.75),
            ("F6_E3M2", 0.75), ("C64", 8), ("BOOL", 1), ("U64", 8),
        ])
    func safetensors(name: String, bytes: Double) throws {
        let count = Int(bytes * 8)
        let file = try SafetensorsFile(
            ModelFilesTests.safetensors(
                "{\"a\":{\"dtype\":\"\(name)\",\"shape\":[8],\"data_offsets\":[0,\(count)]}}",
                data: [UInt8](repeating: 0, count: count)))
        #expect(file.storedType(of: "a")?.name == name.lowercased())
        #expect(throws: ModelFileError.self) { try file.floats("a") }
    }
}
