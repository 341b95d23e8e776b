internal import Tensors

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file that gets its name only when it is complete and on disk.
///
/// Bytes are written to a temporary file in the same directory. `commit()` flushes it to disk and
/// renames it. If a value is destroyed without a commit, the temporary file is removed.
public struct AtomicFile: ~Copyable {
    private let path: String
    private let temporary: String
    private let descriptor: Int32
    private var committed = false

    /// Creates the temporary file.
    public init(_ path: String) throws(ModelFileError) {
        let name = "\(path).\(getpid())-\(UInt32.random(in: .min ... .max)).tmp"
        let isTaken = FileKind(of: path) == .directory
        descriptor = isTaken ? -1 : open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else {
            throw isTaken
                ? ModelFileError(file: path, problem: "it is a directory", remedy: "name a file")
                : Self.failure(path, "it cannot be created")
        }
        self.path = path
        temporary = name
    }

    deinit {
        close(descriptor)
        if !committed { unlink(temporary) }
    }

    /// Appends bytes.
    public func append(_ bytes: [UInt8]) throws(ModelFileError) {
        var rest = bytes
        while !rest.isEmpty {
            let written = systemWrite(descriptor, rest)
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { throw Self.failure(path, "it cannot be written") }
            if written == rest.count { return }
            rest.removeFirst(written)
        }
    }

    /// Appends the floats of a tensor, converted to a type, some megabytes at a time.
    ///
    /// The number of floats must be a multiple of the type's block size. A float outside the range
    /// of the type throws an error.
    func append(
        _ floats: [Float], as type: DType, tensor name: String
    ) throws(ModelFileError) {
        let limit = type.maximumMagnitude ?? .greatestFiniteMagnitude
        if let found = firstOutside(floats, limit: limit) {
            throw ModelFileError(
                file: path, subject: "tensor \(quoted(name))",
                problem: "element \(found.position) is \(found.value), which \(type.rawValue) "
                    + "cannot hold",
                remedy: found.value.isFinite
                    ? "store the weights as f32" : "the weights are damaged; use another checkpoint"
            )
        }
        let piece = 1 << 20
        for start in stride(from: 0, to: floats.count, by: piece) {
            let part = floats.span.extracting(start..<min(start + piece, floats.count))
            try append(type.bytes(from: part))
        }
    }

    /// Flushes the bytes to disk and gives the file its name.
    ///
    /// An existing file with this name is replaced.
    public consuming func commit() throws(ModelFileError) {
        guard fsync(descriptor) == 0 else { throw Self.failure(path, "it cannot be flushed") }
        guard rename(temporary, path) == 0 else { throw Self.failure(path, "it cannot be renamed") }
        committed = true
        let directory = open(Self.directory(of: path), O_RDONLY | O_CLOEXEC)
        guard directory >= 0 else { return }
        fsync(directory)
        close(directory)
    }

    /// Writes a complete file.
    public static func write(
        _ bytes: some Sequence<UInt8>, to path: String
    ) throws(ModelFileError) {
        let file = try AtomicFile(path)
        try file.append(Array(bytes))
        try file.commit()
    }

    /// Returns the directory that contains a path's last component.
    private static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Returns the error for a system call that has just failed.
    private static func failure(_ path: String, _ what: String) -> ModelFileError {
        ModelFileError(
            file: path, problem: "\(what): \(lastSystemError())",
            remedy: "check that the directory exists, is writable and has room")
    }
}
