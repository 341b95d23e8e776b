import Foundation
import Testing

@testable import ModelFiles

@Suite("InputFile")
struct InputFileTests {
    @Test(
        "the sample of a long text has whole lines from all parts of the text",
        arguments: [2, 8, 64])
    func spread(runs: Int) throws {
        let lines = (0..<5000).map { "line \($0) é" }
        let file = InputFile(Array(lines.joined(separator: "\n").utf8), path: "text")
        #expect(try file.text(atMost: file.count) == lines.joined(separator: "\n"))
        let limit = 16_384
        let taken = try file.text(atMost: limit, runs: runs)
        #expect(taken.utf8.count <= limit && taken.utf8.count > limit - runs * 32)
        let numbers = try taken.split(separator: "\n").map { line in
            let number = try #require(lines.firstIndex(of: String(line)), "\(line)")
            return number
        }
        #expect(numbers == Set(numbers).sorted() && numbers.first == 0)
        #expect(try #require(numbers.last) >= 4998)
        let gaps = zip(numbers, numbers.dropFirst()).filter { $1 > $0 + 1 }
        #expect(gaps.count == runs - 1)
        let lengths = gaps.map { $1 - $0 }
        #expect(try #require(lengths.max()) - #require(lengths.min()) <= 64)
    }

    @Test("one long line is cut, and invalid bytes are replaced")
    func rough() throws {
        let line = InputFile([UInt8](repeating: 0x61, count: 1000), path: "line")
        #expect(try line.text(atMost: 100, runs: 4) == String(repeating: "a", count: 100))
        #expect(try InputFile([0x61, 0xFF], path: "bytes").text(atMost: 2) == "a\u{FFFD}")
    }

    @Test("reading a file that was shortened while open gives an error that names it")
    func shortened() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/file"
            try AtomicFile.write([UInt8](repeating: 7, count: 100_000), to: path)
            let file = try InputFile(path: path)
            #expect(try file.bytes.count == 100_000)
            for length in [99_999, 4096, 0] {
                #expect(truncate(path, off_t(length)) == 0)
                #expect(try file.bytes(in: 0..<length).count == length)
                let error = #expect(throws: ModelFileError.self) { try file.bytes }
                #expect(error?.file == path && error?.problem.contains("shortened") == true)
                #expect(throws: ModelFileError.self) { try file.visit(0..<file.count) { _ in } }
                #expect(throws: ModelFileError.self) { try file.text(atMost: 50_000) }
            }
        }
    }

    @Test("reading a tensor of a shortened file gives an error", arguments: ["model.gguf", "f"])
    func tensors(name: String) throws {
        let fixtures = ["model.gguf": "quantized.gguf", "f": "floats.safetensors"]
        try withTemporaryDirectory { directory in
            let path = directory + "/" + name
            try AtomicFile.write(try fixtureBytes(fixtures[name] ?? ""), to: path)
            let file = try openTensorFile(path)
            #expect(truncate(path, 16) == 0)
            for name in file.names where file.shape(of: name)?.contains(0) == false {
                guard
                    (file as? GGUFFile)?.type(of: name)?.isFloat
                        ?? (file as? SafetensorsFile)?.type(of: name)?.isFloat == true
                else { continue }
                let error = #expect(throws: ModelFileError.self) { try file.floats(name) }
                #expect(error?.file == path)
            }
        }
    }
}
