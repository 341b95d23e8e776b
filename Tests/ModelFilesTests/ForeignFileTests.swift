import Foundation
import Testing

@testable import ModelFiles

@Suite("Other files instead of weights") struct ForeignFileTests {
    private static let pointer = """
        version https://git-lfs.github.com/spec/v1
        oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
        size 12345

        """

    @Test(
        "the error for a text file names the kind of the file",
        arguments: [
            (pointer, "git-LFS pointer"), ("<!DOCTYPE html>\n<html>", "web page"),
            ("\u{FEFF}{\"error\": \"no such model\"}", "JSON"),
            ("Once upon a time there was a model.", "text file"),
        ], ["model.safetensors", "model.gguf"])
    func text(file: (text: String, kind: String), name: String) throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/" + name
            try AtomicFile.write(Array(file.text.utf8), to: path)
            let error = #expect(throws: ModelFileError.self) { try openTensorFile(path) }
            #expect(error?.problem.contains(file.kind) == true)
        }
    }

    @Test("the error for a binary file names the kind of the file")
    func binary() {
        for (head, kind) in [
            ([0x50, 0x4B, 0x03, 0x04, 0xFF, 0xFF, 0xFF, 0xFF], "PyTorch"),
            ([0x1F, 0x8B, 0x08, 0, 0, 0, 0, 0xFF], "compressed"),
            ([0x47, 0x47, 0x55, 0x46, 3, 0, 0, 0xFF], "GGUF"),
        ] as [([UInt8], String)] {
            let error = #expect(throws: ModelFileError.self) {
                try SafetensorsFile(InputFile(head + [UInt8](repeating: 7, count: 64), path: "a"))
            }
            #expect(error?.problem.contains(kind) == true)
        }
    }

    @Test("the error for a pointer names it, and a byte-order mark before JSON is skipped")
    func json() throws {
        let error = #expect(throws: ModelFileError.self) {
            try JSONValue(parsing: Array(Self.pointer.utf8), file: "config.json")
        }
        #expect(error?.problem.contains("git-LFS pointer") == true)
        let marked = try JSONValue(parsing: [0xEF, 0xBB, 0xBF] + Array("[1]".utf8), file: "a")
        #expect(marked == .array([.integer(1)]))
    }

    @Test(
        "the error for a directory without safetensors says how to convert its files",
        arguments: [
            ("pytorch_model.bin", "t.LlamaModel.from_pretrained("),
            ("pytorch_model.bin.index.json", "save_pretrained("), ("a.Q8_0.gguf", "a.Q8_0.gguf"),
            ("adapter_model.safetensors", "merge_and_unload"), ("tf_model.h5", "tf_model.h5"),
            ("notes.txt", "no model.safetensors"),
        ])
    func directories(name: String, part: String) throws {
        try withTemporaryDirectory { directory in
            try AtomicFile.write([1], to: directory + "/" + name)
            try AtomicFile.write(
                Array("{\"architectures\": [\"LlamaModel\"]}".utf8),
                to: directory + "/config.json")
            let error = #expect(throws: ModelFileError.self) { try openTensorFile(directory) }
            #expect(error?.description.contains(part) == true)
        }
    }

    @Test("the transformer of a sentence-transformers model may be in a folder of its directory")
    func folder() throws {
        try withTemporaryDirectory { directory in
            #expect(transformerDirectory(directory) == directory)
            func write(_ path: String) throws {
                let json = "[{\"idx\": 0, \"path\": \"\(path)\", \"type\": \"Transformer\"}]"
                try AtomicFile.write(Array(json.utf8), to: directory + "/modules.json")
            }
            try FileManager.default.createDirectory(
                atPath: directory + "/0_Transformer", withIntermediateDirectories: false)
            try write("0_Transformer")
            #expect(transformerDirectory(directory) == directory + "/0_Transformer")
            for path in ["..", "", "none"] {
                try write(path)
                #expect(transformerDirectory(directory) == directory)
            }
        }
    }
}
