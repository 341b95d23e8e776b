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

    @Test("pieces are the text, cut between lines alone", arguments: [1, 16, 64, 1000])
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

    @Test("text without such places is cut behind other line ends, or anywhere")
    func blank() throws {
        let empty = String(repeating: "\n", count: 5000)
        #expect(try pieces(of: empty, length: 10).joined() == empty)
        let line = String(repeating: "x", count: 5000)
        let cut = try pieces(of: line, length: 10)
        #expect(cut.joined() == line && cut.count > 3)
        #expect(try pieces(of: "", length: 10).isEmpty)
        #expect(try pieces(of: "a", length: 10) == ["a"])
    }
}
