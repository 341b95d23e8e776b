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
            let end = self.end(of: file, from: start, length: length)
            try body(String(decoding: file.bytes(in: start..<end), as: UTF8.self))
            start = end
        }
    }

    private static func end(of file: MappedFile, from start: Int, length: Int) -> Int {
        guard file.count - start > length else { return file.count }
        let last = min(file.count - 1, start + 100 * length)
        var fallback: Int?
        for place in max(start + length, start + 1)..<max(last, start + length + 1)
        where place < file.count && byte(file, place - 1) == UInt8(ascii: "\n") {
            if !isBlank(file, place), place >= 2, !isBlank(file, place - 2) { return place }
            fallback = fallback ?? place
        }
        return last == file.count - 1 ? file.count : fallback ?? last
    }

    private static func byte(_ file: MappedFile, _ place: Int) -> UInt8 {
        file.integer(at: place)
    }

    private static func isBlank(_ file: MappedFile, _ place: Int) -> Bool {
        byte(file, place) <= UInt8(ascii: " ")
    }
}
