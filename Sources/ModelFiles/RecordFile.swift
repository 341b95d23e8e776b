internal import Foundation

/// A file of records with named members: JSON lines, a JSON array, or a table with a heading.
///
/// - A `.csv` file is separated by commas. Values with commas, quotes or line ends are quoted, and
///   quotes in them are doubled (RFC 4180).
/// - A `.tsv` file is separated by tabs and has no quotes.
/// - A `.json` file contains an array of objects.
/// - Any other file, and a `.json` file that begins with an object, is read as JSON lines.
///
/// The values of tables are strings. The case of the file name extension does not matter, and a
/// byte-order mark is skipped. Only a JSON array must fit in memory.
public enum RecordFile {
    /// One record.
    public struct Record: Sendable {
        /// The file and the line where the record begins, for messages.
        public let place: String
        /// The index of the record in the file, from 0; the heading is not counted.
        public let index: Int
        /// The members of the record.
        public let members: [JSONKey: JSONValue]

        /// The field `text`.
        ///
        /// - Throws: ``ModelFileError`` if the record has no such field, or if the field is not a
        ///   string.
        public func text() throws(ModelFileError) -> String {
            guard let text = members["text"]?.string else { throw lacks("no string \"text\"") }
            return text
        }

        /// Returns the error for a record without the required members.
        ///
        /// - Parameter members: The missing members, such as `no "text"`.
        /// - Returns: The error, which lists the members that the record has.
        public func lacks(_ members: String) -> ModelFileError {
            let names = self.members.keys.sorted().prefix(8).map { quoted($0.text) }
            return ModelFileError(
                file: place,
                problem: "it has \(members)"
                    + (names.isEmpty ? "" : ", only \(names.joined(separator: ", "))"),
                remedy: "rename the field, or the column of a table")
        }
    }

    /// Returns whether a file name has the extension of a file of records.
    ///
    /// The extensions are `.jsonl`, `.ndjson`, `.json`, `.csv` and `.tsv`.
    public static func isNamed(_ path: String) -> Bool {
        ["jsonl", "ndjson", "json", "csv", "tsv"].contains(kind(of: path))
    }

    private static func kind(of path: String) -> String {
        URL(fileURLWithPath: path).pathExtension.lowercased()
    }

    /// Calls `body` with the records of a file.
    ///
    /// - Parameters:
    ///   - path: The path of the file.
    ///   - body: Called with each record; returns whether to continue.
    /// - Throws: ``ModelFileError`` that names the line, or the error of `body`.
    public static func visit(
        _ path: String, _ body: (Record) throws(ModelFileError) -> Bool
    ) throws(ModelFileError) {
        let file = try InputFile(textAt: path)
        var bytes = try ByteStream(file)
        switch kind(of: path) {
        case "csv": try visitTable(bytes, path, separator: UInt8(ascii: ","), quotes: true, body)
        case "tsv": try visitTable(bytes, path, separator: UInt8(ascii: "\t"), quotes: false, body)
        case "json" where try bytes.skipBlanks() == UInt8(ascii: "["):
            try visitArray(bytes, path, body)
        default: try visitLines(ByteStream(file), path, body)
        }
    }

    private static func visitArray(
        _ bytes: ByteStream, _ path: String, _ body: (Record) throws(ModelFileError) -> Bool
    ) throws(ModelFileError) {
        var bytes = bytes
        let elements = try JSONValue(parsing: try bytes.rest(), file: path).array ?? []
        for (index, element) in elements.enumerated() {
            let place = "\(path), record \(index + 1)"
            let members = try members(of: element, at: place)
            guard try body(Record(place: place, index: index, members: members)) else { return }
        }
    }

    private static func members(
        of value: JSONValue, at place: String
    ) throws(ModelFileError) -> [JSONKey: JSONValue] {
        guard let members = value.object else {
            throw ModelFileError(
                file: place, problem: "it is not an object",
                remedy: "give records such as {\"text\": \"…\"}, one on each line, or in an array")
        }
        return members
    }

    private static func visitLines(
        _ bytes: ByteStream, _ path: String, _ body: (Record) throws(ModelFileError) -> Bool
    ) throws(ModelFileError) {
        var bytes = bytes
        var (index, number) = (0, 0)
        while let line = try bytes.nextLine() {
            number += 1
            guard line.contains(where: { $0 > 0x20 }) else { continue }
            let place = "\(path), line \(number)"
            let members = try members(of: JSONValue(parsing: line, file: place), at: place)
            guard try body(Record(place: place, index: index, members: members)) else { return }
            index += 1
        }
    }

    private static func visitTable(
        _ bytes: ByteStream, _ path: String, separator: UInt8, quotes: Bool,
        _ body: (Record) throws(ModelFileError) -> Bool
    ) throws(ModelFileError) {
        var table = TableReader(bytes: bytes, separator: separator, quotes: quotes)
        guard let names = try table.next() else { return }
        var index = 0
        while true {
            let line = table.line
            guard let values = try table.next() else { return }
            if values == [""] { continue }
            let place = "\(path), line \(line)"
            guard values.count == names.count else {
                throw ModelFileError(
                    file: place,
                    problem: "it has \(values.count) values, but the heading has \(names.count)",
                    remedy: quotes ? "put values with commas in quotes" : "correct the line")
            }
            let members = Dictionary(
                zip(names, values).map { (JSONKey($0), JSONValue.string($1)) }
            ) { $1 }
            guard try body(Record(place: place, index: index, members: members)) else { return }
            index += 1
        }
    }
}

/// Reads the rows of a table one by one.
private struct TableReader {
    private var bytes: ByteStream
    private let separator: UInt8
    private let quotes: Bool
    /// The line at which the next row begins.
    private(set) var line = 1

    init(bytes: ByteStream, separator: UInt8, quotes: Bool) {
        (self.bytes, self.separator, self.quotes) = (bytes, separator, quotes)
    }

    /// Reads the values of the next row; nil after the last row.
    mutating func next() throws(ModelFileError) -> [String]? {
        guard try bytes.peek() != nil else { return nil }
        var values: [String] = []
        var value: [UInt8] = []
        var isQuoted = false
        let (newline, mark) = (UInt8(ascii: "\n"), UInt8(ascii: "\""))
        func text() -> String {
            let end = value.last == UInt8(ascii: "\r") ? value.count - 1 : value.count
            return String(decoding: value[..<end], as: UTF8.self)
        }
        while let byte = try bytes.next() {
            if byte == newline { line += 1 }
            if isQuoted {
                if byte != mark {
                    value.append(byte)
                } else if try bytes.peek() == mark {
                    value.append(mark)
                    _ = try bytes.next()
                } else {
                    isQuoted = false
                }
            } else if byte == newline {
                break
            } else if byte == separator {
                values.append(text())
                value = []
            } else if quotes, byte == mark, value.isEmpty {
                isQuoted = true
            } else {
                value.append(byte)
            }
        }
        return values + [text()]
    }
}

/// Reads a file byte by byte, with one piece of it in memory.
private struct ByteStream {
    private let file: InputFile
    private var piece: [UInt8] = []
    private var place = 0
    /// The offset at which the next piece begins.
    private var following = 0

    /// Starts after the byte-order mark, if the file has one.
    init(_ file: InputFile) throws(ModelFileError) {
        self.file = file
        try skip(byteOrderMark)
    }

    /// Returns the next byte; nil after the last byte.
    mutating func peek() throws(ModelFileError) -> UInt8? {
        if place == piece.count {
            guard following < file.count else { return nil }
            let end = min(following + (1 << 20), file.count)
            (piece, place) = (try file.bytes(in: following..<end), 0)
            following = end
        }
        return piece[place]
    }

    mutating func next() throws(ModelFileError) -> UInt8? {
        let byte = try peek()
        if byte != nil { place += 1 }
        return byte
    }

    /// Skips spaces and line ends.
    ///
    /// Returns the next byte; nil after the last byte.
    mutating func skipBlanks() throws(ModelFileError) -> UInt8? {
        while let byte = try peek(), byte <= UInt8(ascii: " ") { place += 1 }
        return try peek()
    }

    /// Reads all remaining bytes.
    mutating func rest() throws(ModelFileError) -> [UInt8] {
        _ = try peek()
        return try piece[place...] + file.bytes(in: following..<file.count)
    }

    /// Skips bytes if they come next.
    private mutating func skip(_ bytes: [UInt8]) throws(ModelFileError) {
        _ = try peek()
        if piece[place...].starts(with: bytes) { place += bytes.count }
    }

    /// Reads the bytes before the next line end or the end of the file; returns nil after the end.
    mutating func nextLine() throws(ModelFileError) -> [UInt8]? {
        guard try peek() != nil else { return nil }
        var line: [UInt8] = []
        while try peek() != nil {
            if let end = piece[place...].firstIndex(of: UInt8(ascii: "\n")) {
                line += piece[place..<end]
                place = end + 1
                return line
            }
            line += piece[place...]
            place = piece.count
        }
        return line
    }
}
