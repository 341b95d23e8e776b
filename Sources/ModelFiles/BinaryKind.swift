extension InputFile {
    /// Opens a file that must contain UTF-8 text.
    ///
    /// - Parameter path: The path of the file.
    /// - Throws: ``ModelFileError`` if it cannot be read, or if it is not text. The error names the
    ///   kind of the file.
    init(textAt path: String) throws(ModelFileError) {
        try self.init(path: path)
        guard let kind = try binaryKind() else { return }
        throw ModelFileError(
            file: path, problem: "it is \(kind.name), not text in UTF-8", remedy: kind.remedy)
    }

    /// Returns the kind of a file that is not text, and the remedy; nil for text.
    private func binaryKind() throws(ModelFileError) -> (name: String, remedy: String)? {
        let start = try bytes(in: 0..<min(count, 16))
        let signatures: [(bytes: [UInt8], name: String, remedy: String)] = [
            (Array("GGUF".utf8), "a GGUF model", other),
            ([0x1F, 0x8B], "a gzip archive", unpack),
            (Array("PK\u{3}\u{4}".utf8), "a zip archive or a PyTorch file", unpack),
            (Array("BZh".utf8), "a bzip2 archive", unpack),
            ([0xFD] + Array("7zXZ".utf8), "an xz archive", unpack),
            ([0x28, 0xB5, 0x2F, 0xFD], "a zstd archive", unpack),
            (Array("PAR1".utf8), "a Parquet table", "export it as .jsonl with a field \"text\""),
            (Array("ARROW1".utf8), "an Arrow table", "export it as .jsonl with a field \"text\""),
            (Array("%PDF-".utf8), "a PDF document", "export its text"),
            ([0xFF, 0xFE], "text in UTF-16", "save it as UTF-8"),
            ([0xFE, 0xFF], "text in UTF-16", "save it as UTF-8"),
        ]
        if let found = signatures.first(where: { start.starts(with: $0.bytes) }) {
            return (found.name, found.remedy)
        }
        if start.count >= 9, start[8] == UInt8(ascii: "{"),
            start.prefix(8).reversed().reduce(0, { $0 << 8 | UInt64($1) }) <= UInt64(count)
        {
            return ("a safetensors file", other)
        }
        var (seen, broken) = (0, 0)
        for range in samples {
            let piece = try bytes(in: range)
            if let place = piece.firstIndex(of: 0) {
                return ("binary (byte \(range.lowerBound + place) is 0)", other)
            }
            seen += piece.count
            broken += Self.invalidBytes(of: piece)
        }
        // A small number of invalid bytes is accepted; they are replaced when the text is read.
        guard broken > 8, broken * 1000 > seen else { return nil }
        return (
            "binary or in another encoding (\(broken) of \(seen) bytes are not UTF-8)",
            "save it as UTF-8, or name a file of plain text"
        )
    }

    /// The range of the complete file, or 16 ranges spread over a large file.
    private var samples: [Range<Int>] {
        let (length, pieces) = (1 << 16, 16)
        guard count > length * pieces else { return [0..<count] }
        return (0..<pieces).map { piece in
            let first = (count - length) * piece / (pieces - 1)
            return first..<first + length
        }
    }

    /// Returns the number of replacement characters that decoding inserts.
    private static func invalidBytes(of bytes: [UInt8]) -> Int {
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.utf8.count != bytes.count || !text.utf8.elementsEqual(bytes) else { return 0 }
        // Replacement characters (U+FFFD) in the file itself do not count.
        let own = bytes.indices.dropLast(2).count {
            bytes[$0] == 0xEF && bytes[$0 + 1] == 0xBF && bytes[$0 + 2] == 0xBD
        }
        return text.unicodeScalars.count { $0 == "\u{FFFD}" } - own
    }
}

private let other = "name a file of plain text, or .jsonl, .csv or .tsv records"
private let unpack = "unpack it, and name the text file in it"
