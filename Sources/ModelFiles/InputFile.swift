#if canImport(Darwin)
    internal import Darwin
#elseif canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A file on disk, from which ranges of bytes are read on request.
///
/// The file is not mapped into memory: if a mapped file is shortened while it is in use, a signal
/// ends the process. Here, reading a shortened file throws an error.
public struct InputFile: Sendable {
    /// The path of the file.
    public let path: String
    /// The size in bytes when the file was opened.
    public let count: Int
    private let source: Source

    private enum Source: Sendable {
        case disk(Descriptor)
        case memory([UInt8])
    }

    /// An open file, which is closed when its last reference is released.
    private final class Descriptor: Sendable {
        let number: Int32
        init(_ number: Int32) { self.number = number }
        deinit { close(number) }
    }

    /// Opens a regular file.
    ///
    /// - Parameter path: The path of the file.
    /// - Throws: ``ModelFileError`` if it is not a regular file, or cannot be read.
    public init(path: String) throws(ModelFileError) {
        switch FileKind(of: path) {
        case .regular: break
        case .directory:
            throw ModelFileError(
                file: path, problem: "it is a directory", remedy: "name a file inside it")
        case .other:
            throw ModelFileError(
                file: path, problem: "it is not a regular file", remedy: "name a file on disk")
        case .unreachable(let reason):
            throw ModelFileError(file: path, problem: reason, remedy: "check the path")
        }
        let number = open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else {
            throw ModelFileError(
                file: path, problem: "it cannot be opened: \(lastSystemError())",
                remedy: "check its permissions")
        }
        let descriptor = Descriptor(number)
        var information = stat()
        guard fstat(number, &information) == 0 else {
            throw ModelFileError(
                file: path, problem: "its size cannot be found: \(lastSystemError())",
                remedy: "check the disk")
        }
        self.path = path
        count = Int(information.st_size)
        source = .disk(descriptor)
    }

    /// Treats bytes in memory as a file.
    init(_ bytes: [UInt8], path: String) {
        source = .memory(bytes)
        count = bytes.count
        self.path = path
    }

    /// Returns the range of `count` bytes from an offset; nil if it is not within the file.
    public func range(from offset: Int, count: Int) -> Range<Int>? {
        guard offset >= 0, count >= 0, offset <= self.count, count <= self.count - offset else {
            return nil
        }
        return offset..<offset + count
    }

    /// All bytes of the file.
    public var bytes: [UInt8] {
        get throws(ModelFileError) { try bytes(in: 0..<count) }
    }

    /// Reads the bytes of a range of the file.
    ///
    /// - Parameter range: The range of bytes.
    /// - Returns: All bytes of the range.
    /// - Throws: ``ModelFileError`` if the file was shortened, or cannot be read.
    /// - Precondition: The range is within the file.
    public func bytes(in range: Range<Int>) throws(ModelFileError) -> [UInt8] {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= count, "the range must be within the file")
        switch source {
        case .memory(let bytes): return [UInt8](bytes[range])
        case .disk(let descriptor): return try read(descriptor.number, range)
        }
    }

    private func read(_ number: Int32, _ range: Range<Int>) throws(ModelFileError) -> [UInt8] {
        var failure: String?
        let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, done in
            while done < range.count {
                let got = pread(
                    number, buffer.baseAddress.map { $0 + done }, range.count - done,
                    off_t(range.lowerBound + done))
                if got < 0, errno == EINTR { continue }
                if got < 0 { failure = lastSystemError() }
                guard got > 0 else { return }
                done += got
            }
        }
        if let failure {
            throw ModelFileError(
                file: path, problem: "it cannot be read: \(failure)", remedy: "check the disk")
        }
        guard bytes.count == range.count else {
            throw ModelFileError(
                file: path, problem: "it was shortened while it was read",
                remedy: "run the command again when no program changes the file")
        }
        return bytes
    }

    /// Calls `body` with the bytes of a range, some megabytes at a time.
    ///
    /// - Parameters:
    ///   - range: The range of bytes.
    ///   - multiple: A number that divides the length of every piece, if it divides the length of
    ///     the range.
    ///   - body: Called with each piece.
    /// - Throws: The errors of `bytes(in:)`.
    public func visit(
        _ range: Range<Int>, inMultiplesOf multiple: Int = 1, _ body: (RawSpan) -> Void
    ) throws(ModelFileError) {
        let length = max(1, (4 << 20) / multiple) * multiple
        var start = range.lowerBound
        while start < range.upperBound {
            let end = min(range.upperBound, start + length)
            let bytes = try bytes(in: start..<end)
            body(bytes.span.bytes)
            start = end
        }
    }

    /// Reads the file as text.
    ///
    /// If the file is longer than a limit, the text is some pieces of complete lines, spread evenly
    /// over the file. Bytes that are not UTF-8 are replaced.
    ///
    /// - Parameters:
    ///   - limit: The maximum number of bytes.
    ///   - runs: The number of pieces of a longer file, at least 2.
    /// - Returns: The text.
    /// - Throws: The errors of `bytes(in:)`.
    public func text(atMost limit: Int, runs: Int = 64) throws(ModelFileError) -> String {
        guard count > limit else { return String(decoding: try bytes, as: UTF8.self) }
        let length = limit / runs
        var text = ""
        for run in 0..<runs {
            let start = (count - length) * run / (runs - 1)
            var lines = try bytes(in: start..<start + length)[...]
            if run > 0, let end = lines.firstIndex(of: UInt8(ascii: "\n")) {
                lines = lines[(end + 1)...]
            }
            if let end = lines.lastIndex(of: UInt8(ascii: "\n")) { lines = lines[...end] }
            text += String(decoding: lines, as: UTF8.self)
        }
        return text
    }
}

extension Span<UInt8> {
    /// Returns the little-endian number at an offset.
    ///
    /// - Precondition: The number is within the bytes.
    func integer<Value: FixedWidthInteger & BitwiseCopyable>(
        at offset: Int, as type: Value.Type = Value.self
    ) -> Value {
        Value(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: type))
    }
}
