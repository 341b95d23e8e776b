import Foundation
import ModelFiles
import Testing

@Suite("RecordFile")
struct RecordFileTests {
    private func read(_ text: String, _ name: String) throws -> [[JSONKey: JSONValue]] {
        var records: [[JSONKey: JSONValue]] = []
        try withTemporaryDirectory { directory in
            let path = directory + "/" + name
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            try RecordFile.visit(path) {
                #expect($0.index == records.count)
                records.append($0.members)
                return true
            }
        }
        return records
    }

    @Test("quoted fields may contain commas, line ends and quotes, and lines may end with CRLF")
    func commas() throws {
        let records = try read(
            "\u{feff}text,label\r\nplain,1\r\n\"a, \"\"b\"\"\nc\",0\r\n\n,\nlast,2", "a.csv")
        #expect(
            records == [
                ["text": .string("plain"), "label": .string("1")],
                ["text": .string("a, \"b\"\nc"), "label": .string("0")],
                ["text": .string(""), "label": .string("")],
                ["text": .string("last"), "label": .string("2")],
            ])
    }

    @Test("in tab-separated files, quotes are ordinary characters")
    func tabs() throws {
        let records = try read("sentence\tlabel\n\"so\" so, and\t1\n", "a.tsv")
        #expect(records == [["sentence": .string("\"so\" so, and"), "label": .string("1")]])
        #expect(try read("", "a.tsv").isEmpty && read("a\tb\n", "a.tsv").isEmpty)
    }

    @Test("JSON lines are read up to a limit, and empty lines are skipped")
    func lines() throws {
        #expect(try read("{\"a\": 1}\n\n {\"b\": []}\n", "a.jsonl").count == 2)
        var seen = 0
        try withTemporaryDirectory { directory in
            let path = directory + "/a.jsonl"
            try Data("{}\n{}\n{".utf8).write(to: URL(fileURLWithPath: path))
            try RecordFile.visit(path) { _ in
                seen += 1
                return seen < 2
            }
        }
        #expect(seen == 2 && RecordFile.isNamed("a.jsonl") && !RecordFile.isNamed("a.txt"))
    }

    @Test(
        "the file name's ending, in any case, gives the format; a byte-order mark is skipped",
        arguments: [
            ("a.JSONL", "\u{feff}{\"text\": \"x\"}\n{\"text\": \"y\"}\n"),
            ("a.json", "\u{feff}\n [{\"text\": \"x\"},\n {\"text\": \"y\"}]\n"),
            ("a.JSON", "{\"text\": \"x\"}\n{\"text\": \"y\"}"), ("a.CSV", "text\nx\ny\n"),
            ("a.Tsv", "\u{feff}text\nx\ny"), ("a.ndjson", "{\"text\": \"x\"}\r\n{\"text\": \"y\"}"),
        ])
    func endings(name: String, text: String) throws {
        #expect(RecordFile.isNamed(name))
        #expect(try read(text, name) == [["text": .string("x")], ["text": .string("y")]])
    }

    @Test(
        "the error names the wrong line",
        arguments: [
            ("[{}, 3]", "a.json", "a.json, record 2"), ("{}\n[]", "a.jsonl", "a.jsonl, line 2"),
            ("{\n\"text\": 1}", "a.json", "a.json, line 1"), ("[{}", "a.json", "a.json"),
            ("a,b\n1,2\n\n\"x\ny\",2\n3\n", "a.csv", "a.csv, line 6"),
            ("{}\n\n{x}", "a.jsonl", "a.jsonl, line 3"), ("a\tb\n1\t2\t3", "a.tsv", "line 2"),
        ])
    func faults(text: String, name: String, place: String) throws {
        let error = #expect(throws: ModelFileError.self) { try read(text, name) }
        #expect("\(String(describing: error))".contains(place))
    }

    @Test("random bytes are read or give an error", arguments: UInt64(0)..<100)
    func random(seed: UInt64) throws {
        var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
        let bytes = (0..<200).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1
            return Array("ab\",\n\r\t{}:".utf8)[Int(state >> 33) % 10]
        }
        for name in ["a.csv", "a.tsv", "a.jsonl", "a.json"] {
            let text = String(decoding: bytes, as: UTF8.self)
            do {
                _ = try read(text, name)
            } catch {
                #expect(error is ModelFileError)
            }
        }
    }
}
