public import ModelFiles

/// Sequences of tokens on disk, which may be more than memory holds.
///
/// The tokens lie one behind the other as 32-bit integers, then for each sequence where it begins, how
/// long it is and what is learnt of it, in 16 bytes, and at the end how many sequences there are and a
/// mark.
public struct SequenceFile: Sendable {
    /// How many sequences there are, but for those left out.
    public private(set) var count: Int

    private let file: MappedFile
    private let index: Int

    private static let entryBytes = 16
    private static let endBytes = 16
    fileprivate static let mark: Int64 = 0x5345_5155_454e_4345

    /// Opens a file that ``Writer`` wrote.
    ///
    /// - Throws: `ModelFileError` where it is none.
    public init(_ path: String) throws(ModelFileError) {
        file = try MappedFile(path: path)
        let damaged = ModelFileError(
            file: path, problem: "it is no file of sequences",
            remedy: "delete it: it is made again")
        guard file.count >= Self.endBytes else { throw damaged }
        let count: Int64 = file.integer(at: file.count - Self.endBytes)
        let mark: Int64 = file.integer(at: file.count - 8)
        guard mark == Self.mark, count >= 0,
            count <= (file.count - Self.endBytes) / Self.entryBytes
        else { throw damaged }
        self.count = Int(count)
        index = file.count - Self.endBytes - Int(count) * Self.entryBytes
        for sequence in 0..<self.count {
            let (start, length) = place(of: sequence)
            guard start >= 0, length > 0, start <= index / 4, length <= index / 4 - start else {
                throw damaged
            }
        }
    }

    private func place(of sequence: Int) -> (start: Int, length: Int) {
        let entry = index + sequence * Self.entryBytes
        let (start, length): (Int64, Int32) = (
            file.integer(at: entry), file.integer(at: entry + 8)
        )
        return (Int(start), Int(length))
    }

    /// One of the sequences.
    ///
    /// - Precondition: `0 <= sequence < count`, or it is one of those left out.
    public subscript(sequence: Int) -> TextSequence {
        let (start, length) = place(of: sequence)
        let first: Int32 = file.integer(at: index + sequence * Self.entryBytes + 12)
        let ids = (start..<start + length).map { file.integer(at: 4 * $0, as: Int32.self) }
        return TextSequence(ids, firstLearnt: Int(first))
    }

    /// Leaves out some sequences from the end.
    ///
    /// - Returns: Those.
    public mutating func removeLast(_ number: Int) -> [TextSequence] {
        count -= number
        return (count..<count + number).map { self[$0] }
    }

    /// Writes sequences as they come.
    public struct Writer: ~Copyable {
        private let file: AtomicFile
        private var entries: [(start: Int, length: Int, first: Int)] = []
        private var written = 0
        private var waiting: [UInt8] = []

        /// Creates a file that appears when all is written.
        public init(_ path: String) throws(ModelFileError) { file = try AtomicFile(path) }

        /// Adds a sequence, if it is not empty.
        public mutating func append(_ sequence: TextSequence) throws(ModelFileError) {
            guard !sequence.ids.isEmpty else { return }
            entries.append((written, sequence.ids.count, sequence.firstLearnt))
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

        /// Gives the file its name.
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
