internal import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The kind of file at a path.
public enum FileKind: Sendable, Equatable {
    /// A regular file.
    case regular
    /// A directory.
    case directory
    /// A device, socket or pipe.
    case other
    /// No file that can be reached.
    case unreachable(reason: String)

    /// Looks up a path; symbolic links are followed.
    public init(of path: String) {
        var information = stat()
        guard stat(path, &information) == 0 else {
            self = .unreachable(reason: lastSystemError())
            return
        }
        switch information.st_mode & S_IFMT {
        case S_IFREG: self = .regular
        case S_IFDIR: self = .directory
        default: self = .other
        }
    }
}

/// Returns the description of the error of the last system call that failed.
func lastSystemError() -> String { systemReason(errno) }

/// Returns the operating system's description of an error, or a clearer text for `ENOTDIR`.
private func systemReason(_ code: Int32) -> String {
    guard code != ENOTDIR else { return "part of the path is a file, not a directory" }
    return String(cString: strerror(code))
}

extension Error {
    /// A description of the error.
    ///
    /// For an error of the file system it is the operating system's description. For an error of
    /// JSON decoding it names the place and the problem.
    public var plainReason: String {
        switch self {
        case let error as POSIXError: return systemReason(error.code.rawValue)
        case let error as CocoaError:
            guard let cause = error.underlying as? POSIXError else { break }
            return cause.plainReason
        case let error as DecodingError:
            let context: DecodingError.Context
            switch error {
            case .typeMismatch(_, let found), .valueNotFound(_, let found),
                .keyNotFound(_, let found), .dataCorrupted(let found):
                context = found
            @unknown default: return localizedDescription
            }
            let place = context.codingPath.map(\.stringValue).joined(separator: ".")
            return (place.isEmpty ? "" : place + ": ") + context.debugDescription
        default: break
        }
        return "\(self)"
    }

    /// An error with the path, if this is a file system's error; otherwise nil.
    public var fileSystemFault: ModelFileError? {
        guard let error = self as? CocoaError else {
            guard self is POSIXError else { return nil }
            return ModelFileError(
                file: "file system", problem: plainReason, remedy: "check paths and permissions")
        }
        return ModelFileError(
            file: error.filePath ?? "file system", problem: plainReason,
            remedy: "check the path, its permissions and that the disk has room")
    }
}

/// Writes bytes with the system call `write`; returns the number of bytes written, or -1.
func systemWrite(_ descriptor: Int32, _ bytes: [UInt8]) -> Int {
    write(descriptor, bytes, bytes.count)
}
