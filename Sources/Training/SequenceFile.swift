public import ModelFiles

/// Sequences of tokens on disk.
///
/// The file can be larger than memory.
///
/// The file has three parts. The first part is the tokens of all sequences, one after another, as
/// 32-bit integers. The second part is the start, the length and the first trained token of each
/// sequence, in 16 bytes. The third part is the number of sequences and a constant that identifies
/// the format.
public struct SequenceFile: Sendable {
    /// The number of sequences, without those that were removed.
    public private(set) var count: Int

    private let file: InputFile
    /// The start, the length and the first trained token of each sequence.
    private let entries: [UInt8]

    private static let entryBytes = 16
    private static let endBytes = 16
    fileprivate static let mark: Int64 = 0x5345_5155_454e_4345

    /// Opens a file that ``Writer`` wrote.
    ///
    /// - Throws: `ModelFileError` if the file cannot be read or has another format.
    public init(_ path: String) throws(ModelFileError) {
        let file = try InputFile(path: path)
        let damaged = ModelFileError(
            file: path, problem: "it is not a file of token sequences",
            remedy: "delete the file; the next run writes it again")
        guard file.count >= Self.endBytes else { throw damaged }
        let end = try file.bytes(in: file.count - Self.endBytes..<file.count)
        let (count, mark) = (Int64(littleEndian: load(end, 0)), Int64(littleEndian: load(end, 8)))
        guard mark == Self.mark, count >= 0,
            count <= (file.count - Self.endBytes) / Self.entryBytes
        else { throw damaged }
        let index = file.count - Self.endBytes - Int(count) * Self.entryBytes
        self.file = file
        self.count = Int(count)
        entries = try file.bytes(in: index..<file.count - Self.endBytes)
        for sequence in 0..<self.count {
            let (start, length) = place(of: sequence)
            guard start >= 0, length > 0, start <= index / 4, length <= index / 4 - start else {
                throw damaged
            }
        }
    }

    private func place(of sequence: Int) -> (start: Int, length: Int) {
        let entry = sequence * Self.entryBytes
        return (
            Int(Int64(littleEndian: load(entries, entry))),
            Int(Int32(littleEndian: load(entries, entry + 8)))
        )
    }

    /// A sequence, which is read from disk.
    ///
    /// - Throws: `ModelFileError` if the file was shortened.
    /// - Precondition: `0 <= sequence < count`, or the sequence was removed.
    public subscript(sequence: Int) -> TextSequence {
        get throws(ModelFileError) {
            let (start, length) = place(of: sequence)
            let first = Int32(littleEndian: load(entries, sequence * Self.entryBytes + 12))
            let bytes = try file.bytes(in: 4 * start..<4 * (start + length))
            let ids = (0..<length).map { Int32(littleEndian: load(bytes, 4 * $0)) }
            return TextSequence(ids, lossStart: Int(first))
        }
    }

    /// Removes some sequences from the end.
    ///
    /// - Parameter number: The number of sequences to remove.
    /// - Returns: The removed sequences.
    /// - Throws: `ModelFileError` if the file was shortened.
    public mutating func removeLast(_ number: Int) throws(ModelFileError) -> [TextSequence] {
        count -= number
        var removed: [TextSequence] = []
        for sequence in count..<count + number { removed.append(try self[sequence]) }
        return removed
    }

    /// Writes sequences one by one.
    public struct Writer: ~Copyable {
        private let file: AtomicFile
        private var entries: [(start: Int, length: Int, first: Int)] = []
        private var written = 0
        private var waiting: [UInt8] = []

        /// Creates a file that appears under its path only after ``commit()``.
        public init(_ path: String) throws(ModelFileError) { file = try AtomicFile(path) }

        /// Appends a sequence if it is not empty.
        public mutating func append(_ sequence: TextSequence) throws(ModelFileError) {
            guard !sequence.ids.isEmpty else { return }
            entries.append((written, sequence.ids.count, sequence.lossStart))
            written += sequence.ids.count
            for id in sequence.ids { append(id) }
            if waiting.count > 1 << 20 { try flush() }
        }

        private mutating func append(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.littleEndian) { waiting += $0 }
        }

        private mutating func flush() throws(ModelFileError) {
            try file.append(waiting)
            waiting = []
        }

        /// Writes the rest of the file and puts it at its path.
        public consuming func commit() throws(ModelFileError) {
            for entry in entries {
                append(Int64(entry.start))
                append(Int32(entry.length))
                append(Int32(entry.first))
            }
            append(Int64(entries.count))
            append(SequenceFile.mark)
            try flush()
            try file.commit()
        }
    }
}

/// Returns the number that is stored at an offset.
private func load<Value: BitwiseCopyable>(_ bytes: [UInt8], _ offset: Int) -> Value {
    bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self)
}
