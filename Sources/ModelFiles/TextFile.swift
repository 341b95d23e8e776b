/// Plain text on disk, which may be larger than memory.
public enum TextFile {
    /// Calls `body` with a file in pieces of some megabytes.
    ///
    /// A piece ends after a line end between two characters that are not white space, because
    /// tokens end there too. If there is no such place within a hundred times the length of a
    /// piece, the piece ends after another line end, or in the middle of a line.
    ///
    /// - Parameters:
    ///   - path: The file; bytes that are not UTF-8 are replaced.
    ///   - length: The minimum number of bytes of a piece, except the last.
    ///   - body: Called with each piece.
    /// - Throws: ``ModelFileError`` if the file cannot be read, or the error of `body`.
    public static func visit(
        _ path: String, length: Int = 1 << 22, _ body: (String) throws(ModelFileError) -> Void
    ) throws(ModelFileError) {
        let file = try InputFile(textAt: path)
        var start = try file.hasByteOrderMark ? byteOrderMark.count : 0
        while start < file.count {
            // Most pieces end soon after their minimum length.
            let longest = min(file.count, start + 100 * length + 1)
            var read = min(longest, start + length + (1 << 16))
            var bytes = try file.bytes(in: start..<read)
            var end = self.end(of: bytes, length: length)
            while end == nil, read < longest {
                read = min(longest, start + 4 * bytes.count)
                bytes = try file.bytes(in: start..<read)
                end = self.end(of: bytes, length: length)
            }
            let isLast = read == file.count
            let piece = end ?? (isLast ? bytes.count : fallbackEnd(of: bytes, length))
            try body(String(decoding: bytes[..<piece], as: UTF8.self))
            start += piece
        }
    }

    /// Reads the text of a file.
    ///
    /// In a file of records (see ``RecordFile``) the text consists of the fields `text`, each
    /// followed by a line end.
    ///
    /// - Parameters:
    ///   - path: The file; bytes that are not UTF-8 are replaced.
    ///   - limit: The maximum number of bytes. If the file is longer, complete lines or records are
    ///     selected, spread evenly over the file.
    /// - Returns: The text, and whether the file has more text.
    /// - Throws: ``ModelFileError`` if the file cannot be read or is not text, or if a record has
    ///   no `text`.
    public static func contents(
        of path: String, atMost limit: Int = .max
    ) throws(ModelFileError) -> (text: String, isPart: Bool) {
        let file = try InputFile(textAt: path)
        let isPart = file.count > limit
        guard RecordFile.isNamed(path) else {
            let text = try file.text(atMost: limit)
            return (text.hasPrefix("\u{FEFF}") ? String(text.dropFirst()) : text, isPart)
        }
        var text = ""
        let share = isPart ? Double(limit) / Double(file.count) : 1
        try RecordFile.visit(path) { record throws(ModelFileError) in
            let line = try record.text()
            let index = Double(record.index)
            if !isPart || ((index + 1) * share).rounded(.down) > (index * share).rounded(.down) {
                text += line + "\n"
            }
            return true
        }
        return (text, isPart)
    }

    /// Returns the end of a piece of a minimum length; nil if there is no suitable place.
    ///
    /// The end is after a line end between two characters that are not white space.
    private static func end(of bytes: [UInt8], length: Int) -> Int? {
        guard bytes.count > length else { return nil }
        return (max(length, 2)..<max(length, 2, bytes.count)).first {
            bytes[$0 - 1] == newline && bytes[$0] > space && bytes[$0 - 2] > space
        }
    }

    /// Returns the end of a piece without such a place: after any line end, or at any byte.
    private static func fallbackEnd(of bytes: [UInt8], _ length: Int) -> Int {
        (max(length, 1)..<bytes.count).first { bytes[$0 - 1] == newline } ?? bytes.count - 1
    }

    private static let newline = UInt8(ascii: "\n")
    private static let space = UInt8(ascii: " ")
}

/// The UTF-8 byte-order mark, which some programs write at the start of a text.
let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

extension InputFile {
    fileprivate var hasByteOrderMark: Bool {
        get throws(ModelFileError) {
            try bytes(in: 0..<min(count, byteOrderMark.count)) == byteOrderMark
        }
    }
}
