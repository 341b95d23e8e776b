import Foundation
import ModelFiles
import Testing

@Suite("TextFile")
struct TextFileTests {
    private func pieces(of text: String, length: Int) throws -> [String] {
        var pieces: [String] = []
        try withTemporaryDirectory { directory in
            let path = directory + "/a.txt"
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            try TextFile.visit(path, length: length) { pieces.append($0) }
        }
        return pieces
    }

    @Test(
        "pieces are cut only between lines, and together are the text",
        arguments: [1, 16, 64, 1000])
    func lines(length: Int) throws {
        let lines = (0..<200).map { String(repeating: "wörd ", count: 1 + $0 % 7) + "\($0)" }
        let text = lines.enumerated().map { $1 + ($0 % 3 == 0 ? "\n\n" : "\n") }.joined()
        let pieces = try pieces(of: text, length: length)
        #expect(pieces.joined() == text)
        #expect(pieces.count > text.utf8.count / (3 * max(length, 80)))
        for (piece, next) in zip(pieces, pieces.dropFirst()) {
            #expect(piece.hasSuffix("\n") && !piece.hasSuffix("\n\n") && !next.hasPrefix("\n"))
            #expect(piece.utf8.count >= length)
        }
    }

    @Test("text without blank lines is cut after other line ends, or anywhere")
    func blank() throws {
        let empty = String(repeating: "\n", count: 5000)
        #expect(try pieces(of: empty, length: 10).joined() == empty)
        let line = String(repeating: "x", count: 5000)
        let cut = try pieces(of: line, length: 10)
        #expect(cut.joined() == line && cut.count > 3)
        #expect(try pieces(of: "", length: 10).isEmpty)
        #expect(try pieces(of: "a", length: 10) == ["a"])
    }

    /// Returns the contents of a file with the given bytes.
    private func contents(
        _ bytes: some Sequence<UInt8>, _ name: String = "a.txt", atMost limit: Int = .max
    ) throws -> (text: String, isPart: Bool) {
        var found = (text: "", isPart: false)
        try withTemporaryDirectory { directory in
            let path = directory + "/" + name
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            found = try TextFile.contents(of: path, atMost: limit)
        }
        return found
    }

    @Test("the contents of records are their `text` fields, spread over a long file")
    func records() throws {
        #expect(try contents("\u{feff}a\nb".utf8).text == "a\nb")
        #expect(
            try contents("{\"text\": \"a\"}\n{\"text\": \"b\"}".utf8, "a.JSONL").text == "a\nb\n")
        #expect(try contents("n,text\n1,\"a, b\"\n".utf8, "a.csv").text == "a, b\n")
        let lines = (0..<100).map { "{\"text\": \"\($0)\"}\n" }.joined()
        let part = try contents(lines.utf8, "a.jsonl", atMost: lines.utf8.count / 10)
        let kept = part.text.split(separator: "\n").compactMap { Int($0) }
        #expect(part.isPart && 9...11 ~= kept.count && kept[0] < 20 && kept[kept.count - 1] > 80)
        let error = #expect(throws: ModelFileError.self) {
            try contents("{\"text\": \"a\"}\n{\"body\": 1}".utf8, "a.jsonl")
        }
        for part in ["a.jsonl, line 2", "no string \"text\"", "only \"body\""] {
            #expect(error?.description.contains(part) == true)
        }
    }

    /// The first bytes of binary files, and the kind that an error must name.
    private static let binaries: [(start: [UInt8], kind: String)] = {
        var found: [(start: [UInt8], kind: String)] = []
        found.append((Array("GGUF\u{3}".utf8), "a GGUF model"))
        found.append(([0x1F, 0x8B, 8, 0], "gzip"))
        found.append((Array("PK\u{3}\u{4}".utf8), "zip"))
        found.append((Array("PAR1".utf8), "Parquet"))
        found.append(([0xFF, 0xFE, 0x41, 0], "UTF-16"))
        found.append((Array("text\u{0}".utf8), "byte 4 is 0"))
        let header: [UInt8] = [9, 0, 0, 0, 0, 0, 0, 0]
        found.append((header + Array("{\"a\": {}}".utf8), "safetensors"))
        let latin: [UInt8] = [0xE9, 0x61, 0x61]
        found.append(([[UInt8]](repeating: latin, count: 1000).flatMap { $0 }, "encoding"))
        return found
    }()

    @Test("the error for a binary file names its kind", arguments: 0..<8)
    func binary(index: Int) {
        let (bytes, kind) = Self.binaries[index]
        for name in ["a.txt", "a.jsonl", "a.csv"] {
            let error = #expect(throws: ModelFileError.self) { try contents(bytes, name) }
            #expect(error?.description.contains(kind) == true, "\(String(describing: error))")
        }
    }

    @Test("a few bytes that are not UTF-8 are replaced")
    func broken() throws {
        let text = Array(String(repeating: "wörd � ", count: 1000).utf8) + [0xE9] + Array(" b".utf8)
        #expect(try contents(text).text.hasSuffix("\u{FFFD} b"))
    }
}
