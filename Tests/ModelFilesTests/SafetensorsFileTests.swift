import Tensors
import Testing

@testable import ModelFiles

@Suite("SafetensorsFile") struct SafetensorsFileTests {
    @Test("a file of the Python package is read")
    func golden() throws {
        let file = try SafetensorsFile(path: fixture("floats.safetensors"))
        #expect(file.names.count == 10)
        #expect(file.shape(of: "f32") == [20, 16])
        #expect(file.type(of: "bf16") == .bf16)
        #expect(file.shape(of: "scalar") == [])
        #expect(try file.floats("scalar") == [7])
        #expect(file.shape(of: "empty") == [0, 5])
        #expect(try file.floats("empty").isEmpty)
        #expect(file.shape(of: "none") == nil)
        #expect(try file.storedFloats("f32").prefix(2) == [1 + 0x1p-11, 1 + 0x3p-11])
    }

    @Test("shards are read through an index, given by its path or its directory")
    func sharded() throws {
        for path in ["sharded", "sharded/model.safetensors.index.json"] {
            let file = try openTensorFile(fixture(path))
            #expect(file.names == ["a", "b", "c"])
            #expect(try file.matrix("a").elements == [0, 1, 2, 3, 4, 5])
            #expect(try file.floats("c", shape: [4, 1]) == [0, 1, 2, 3])
        }
    }

    @Test("the error for an impossible request names the file, the tensor and a remedy")
    func requests() throws {
        let file = try SafetensorsFile(path: fixture("floats.safetensors"))
        let absent = #expect(throws: ModelFileError.self) { try file.floats("none") }
        #expect(
            absent?.description.contains("floats.safetensors: tensor \"none\": there is") == true)
        let infinite = #expect(throws: ModelFileError.self) { try file.floats("f32") }
        #expect(infinite?.description.contains("tensor \"f32\": element 13 is") == true)
        #expect(throws: ModelFileError.self) { try file.floats("i64") }
        #expect(throws: ModelFileError.self) { try file.matrix("f64") }
        #expect(throws: ModelFileError.self) { try file.floats("f64", shape: [3, 3]) }
        #expect(throws: ModelFileError.self) { try file.matrix("f32", rows: 16, columns: 20) }
    }

    @Test(
        "an invalid header gives an error",
        arguments: [
            #"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#,
            #"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#,
            #"{"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}}"#,
            #"{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}"#,
            #"{"a":{"dtype":"F32","data_offsets":[0,8]}}"#,
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#,
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}}"#,
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}"#,
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#,
            #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
            #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            #"{"a":{"dtype":"F32","shape":[4611686018427387904,4,0],"data_offsets":[0,0]}}"#,
            #"{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,8]}}"#,
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#
                + #""b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"#
                + #""a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            #"[]"#, #"{"a":7}"#, #"{}"#, "",
        ])
    func refuses(header: String) {
        let file = safetensors(header, data: [UInt8](repeating: 0, count: 8))
        #expect(throws: ModelFileError.self) { try SafetensorsFile(file) }
    }

    @Test("the error for an unknown type names the type and the known types")
    func unknownType() {
        let header = #"{"a":{"dtype":"F9_E4M4","shape":[2],"data_offsets":[0,2]}}"#
        let error = #expect(throws: ModelFileError.self) {
            try SafetensorsFile(safetensors(header, data: [0, 0]))
        }
        #expect(error?.description.contains("F9_E4M4") == true)
        #expect(error?.description.contains("F32, F16 or BF16") == true)
    }

    @Test("tensors in any order, spaces after the header, and metadata are accepted")
    func accepts() throws {
        let file = safetensors(
            #"{"__metadata__":{"x":"y"},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"#
                + #""a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}   "#,
            data: littleEndian(UInt32(1)) + littleEndian(Float(2.5).bitPattern))
        #expect(try SafetensorsFile(file).floats("a") == [2.5])
    }

    @Test(
        "a header that ends after the file gives an error",
        arguments: [UInt64.max, 1 << 63, 1 << 40, 3])
    func headerLength(length: UInt64) {
        let file = InputFile(littleEndian(length) + Array("{}".utf8), path: "test")
        #expect(throws: ModelFileError.self) { try SafetensorsFile(file) }
    }

    @Test(
        "an index with invalid paths gives an error",
        arguments: [
            #"{"weight_map":{"a":"../floats.safetensors"}}"#,
            #"{"weight_map":{"a":"/etc/passwd"}}"#,
            #"{"weight_map":{"a":".."}}"#, #"{"weight_map":{"a":""}}"#, #"{"weight_map":{"a":1}}"#,
            #"{"weight_map":{"a":"absent.safetensors"}}"#, #"{"weight_map":[]}"#, #"{}"#,
            #"{"weight_map":{"z":"model-00001-of-00002.safetensors"}}"#,
        ])
    func index(text: String) {
        let path = fixture("sharded/model.safetensors.index.json")
        let file = InputFile(Array(text.utf8), path: path)
        #expect(throws: ModelFileError.self) { try SafetensorsFile(file) }
    }

    @Test("the error for a wrong path says what is wrong")
    func paths() throws {
        try withTemporaryDirectory { directory in
            let empty = #expect(throws: ModelFileError.self) { try openTensorFile(directory) }
            #expect(empty?.description.contains("model.safetensors") == true)
            let absent = #expect(throws: ModelFileError.self) {
                try openTensorFile(directory + "/absent")
            }
            #expect(absent?.description.contains("No such file") == true)
            #expect(throws: ModelFileError.self) { try openTensorFile("/dev/null") }
            try AtomicFile.write([], to: directory + "/empty")
            #expect(throws: ModelFileError.self) { try openTensorFile(directory + "/empty") }
        }
    }
}
