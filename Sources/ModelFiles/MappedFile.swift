#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A file in memory as the operating system maps it: read-only, read from disk where touched.
///
/// No read goes past the end of the file as it was when opened; who shortens a mapped file
/// meanwhile stops the process, as with every mapping.
public struct MappedFile: Sendable {
    /// Where the file is.
    public let path: String
    private let data: Data

    /// Maps a regular file.
    public init(path: String) throws(ModelFileError) {
        switch FileKind(of: path) {
        case .regular: break
        case .directory:
            throw ModelFileError(
                file: path, problem: "is a directory", remedy: "name a file inside it")
        case .other:
            throw ModelFileError(
                file: path, problem: "is no regular file", remedy: "name a file on disk")
        case .unreachable(let reason):
            throw ModelFileError(file: path, problem: reason, remedy: "check the path")
        }
        do {
            data = try Data(contentsOf: URL(filePath: path), options: .alwaysMapped)
        } catch {
            throw ModelFileError(
                file: path, problem: "cannot be mapped", remedy: "check its permissions")
        }
        self.path = path
    }

    /// Treats bytes in memory as a file.
    init(_ bytes: [UInt8], path: String) {
        data = Data(bytes)
        self.path = path
    }

    /// The size in bytes.
    public var count: Int { data.count }

    /// The range of so many bytes from an offset, or nil where it leaves the file.
    public func range(from offset: Int, count: Int) -> Range<Int>? {
        guard offset >= 0, count >= 0, offset <= data.count, count <= data.count - offset else {
            return nil
        }
        return offset..<offset + count
    }

    /// A copy of the whole file.
    public var bytes: [UInt8] { bytes(in: 0..<count) }

    /// A copy of a range of the file.
    ///
    /// - Precondition: The range lies in the file.
    public func bytes(in range: Range<Int>) -> [UInt8] {
        [UInt8](data[range])
    }

    /// A range of the file as text, or nil where it is not UTF-8.
    ///
    /// - Precondition: The range lies in the file.
    public func text(in range: Range<Int>) -> String? {
        String(validating: data[range], as: UTF8.self)
    }

    /// The file as text, or where it is longer than a limit runs of whole lines, spread evenly over
    /// all of it; what is not UTF-8 is replaced.
    ///
    /// - Parameters:
    ///   - limit: The most bytes.
    ///   - runs: How many runs there are then, at least 2.
    /// - Returns: The text.
    public func text(atMost limit: Int, runs: Int = 64) -> String {
        guard count > limit else { return String(decoding: bytes, as: UTF8.self) }
        let length = limit / runs
        return (0..<runs).map { run in
            let start = (count - length) * run / (runs - 1)
            var lines = bytes(in: start..<start + length)[...]
            if run > 0, let end = lines.firstIndex(of: UInt8(ascii: "\n")) {
                lines = lines[(end + 1)...]
            }
            if let end = lines.lastIndex(of: UInt8(ascii: "\n")) { lines = lines[...end] }
            return String(decoding: lines, as: UTF8.self)
        }.joined()
    }

    /// The little-endian number at an offset.
    ///
    /// - Precondition: The number lies in the file.
    public func integer<Value: FixedWidthInteger & BitwiseCopyable>(
        at offset: Int, as type: Value.Type = Value.self
    ) -> Value {
        Value(littleEndian: data.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: type))
    }

    /// Calls a function with a range of the file, without copying it.
    ///
    /// - Precondition: The range lies in the file.
    public func withBytes<Result>(in range: Range<Int>, _ body: (RawSpan) -> Result) -> Result {
        body(data.bytes.extracting(range))
    }

    /// Calls a function with the whole file, without copying it.
    public func withBytes<Result>(_ body: (RawSpan) -> Result) -> Result {
        body(data.bytes)
    }
}
