/// Reads little-endian numbers and strings in the order of the file.
///
/// It never reads beyond the end of the file.
struct ByteReader {
    let file: InputFile
    /// The offset of the next byte to read.
    private(set) var offset = 0
    /// The part of the file that is being read, for error messages.
    var subject = "header"
    /// The part of the file that is in memory, and its offset.
    private var window: [UInt8] = []
    private var windowStart = 0

    private static let windowLength = 1 << 20

    init(_ file: InputFile) {
        self.file = file
    }

    /// Reads the next `count` bytes.
    mutating func take(_ count: Int) throws(ModelFileError) -> ArraySlice<UInt8> {
        guard let range = file.range(from: offset, count: count) else {
            throw fault("\(count) bytes at \(offset) are not in the file of \(file.count) bytes")
        }
        if range.upperBound > windowStart + window.count {
            let end = min(file.count, max(range.upperBound, offset + Self.windowLength))
            window = try file.bytes(in: offset..<end)
            windowStart = offset
        }
        offset = range.upperBound
        return window[range.lowerBound - windowStart..<range.upperBound - windowStart]
    }

    /// Reads the next integer.
    mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(
        _ type: Value.Type = Value.self
    ) throws(ModelFileError) -> Value {
        let bytes = try take(MemoryLayout<Value>.size)
        return bytes.span.integer(at: 0)
    }

    /// Reads a 64-bit integer that is a number of items, each of at least `bytes` bytes.
    ///
    /// If the items do not fit in the rest of the file, it throws an error.
    mutating func count(ofAtLeast bytes: Int) throws(ModelFileError) -> Int {
        let count = try integer(UInt64.self)
        guard count <= UInt64((file.count - offset) / bytes) else {
            throw fault("its count \(count) is too large for the rest of the file")
        }
        return Int(count)
    }

    /// Reads the next string, after its 64-bit length.
    mutating func string() throws(ModelFileError) -> String {
        let bytes = try take(count(ofAtLeast: 1))
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw fault("a string is not UTF-8")
        }
        return text
    }

    /// Reads the next string, which must be a valid name.
    mutating func name() throws(ModelFileError) -> String {
        let name = try string()
        guard !name.isEmpty, name.utf8.count < 1 << 16,
            name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
        else { throw fault("its name is empty, too long or has control characters") }
        return name
    }

    /// Returns an error about the part that is being read.
    func fault(_ problem: String) -> ModelFileError {
        ModelFileError(file: file.path, subject: subject, problem: problem)
    }

    /// Returns an error about the part that is being read, with a remedy.
    func fault(_ problem: String, remedy: String) -> ModelFileError {
        ModelFileError(file: file.path, subject: subject, problem: problem, remedy: remedy)
    }
}
