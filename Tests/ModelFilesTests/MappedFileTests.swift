import Testing

@testable import ModelFiles

@Suite("MappedFile")
struct MappedFileTests {
    @Test("of long text whole lines are taken from all of it", arguments: [2, 8, 64])
    func spread(runs: Int) throws {
        let lines = (0..<5000).map { "line \($0) é" }
        let file = MappedFile(Array(lines.joined(separator: "\n").utf8), path: "text")
        #expect(file.text(atMost: file.count) == lines.joined(separator: "\n"))
        let limit = 16_384
        let taken = file.text(atMost: limit, runs: runs)
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

    @Test("one long line is cut, and what is no text is replaced")
    func rough() {
        let line = MappedFile([UInt8](repeating: 0x61, count: 1000), path: "line")
        #expect(line.text(atMost: 100, runs: 4) == String(repeating: "a", count: 100))
        #expect(MappedFile([0x61, 0xFF], path: "bytes").text(atMost: 2) == "a\u{FFFD}")
    }
}
