/// Plain text on disk, which may be larger than memory.
public enum TextFile {
    /// Visits a file in pieces of some megabytes.
    ///
    /// A piece ends behind a line end between two signs that are not blank, where tokens end too; only
    /// behind some other line end, or in the middle of a line, where a hundred times the length of a
    /// piece has none.
    ///
    /// - Parameters:
    ///   - path: The file; what is no UTF-8 in it is replaced.
    ///   - length: The least bytes of a piece but the last.
    ///   - body: Called with each piece.
    /// - Throws: ``ModelFileError`` where it cannot be read, or what `body` throws.
    public static func visit(
        _ path: String, length: Int = 1 << 22, _ body: (String) throws(ModelFileError) -> Void
    ) throws(ModelFileError) {
        let file = try MappedFile(path: path)
        var start = 0
        while start < file.count {
            // Most pieces end soon behind their least length.
            var read = min(file.count, start + length + (1 << 16))
            let longest = min(file.count, start + 100 * length + 1)
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

    /// Where a piece of at least a length ends between two signs that are not blank.
    private static func end(of bytes: [UInt8], length: Int) -> Int? {
        guard bytes.count > length else { return nil }
        return (max(length, 2)..<max(length, 2, bytes.count)).first {
            bytes[$0 - 1] == newline && bytes[$0] > space && bytes[$0 - 2] > space
        }
    }

    /// Where it ends otherwise: behind a line end, or anywhere.
    private static func fallbackEnd(of bytes: [UInt8], _ length: Int) -> Int {
        (max(length, 1)..<bytes.count).first { bytes[$0 - 1] == newline } ?? bytes.count - 1
    }

    private static let newline = UInt8(ascii: "\n")
    private static let space = UInt8(ascii: " ")
}
