internal import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What a path leads to.
public enum FileKind: Sendable, Equatable {
    /// A file with contents.
    case regular
    /// A directory.
    case directory
    /// A device, socket or pipe.
    case other
    /// Nothing that can be reached.
    case unreachable(reason: String)

    /// Looks at a path; symbolic links are followed.
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

/// The words for why the last call of the operating system failed.
func lastSystemError() -> String { systemReason(errno) }

/// The operating system's words for an error, but for the one that few understand.
private func systemReason(_ code: Int32) -> String {
    guard code != ENOTDIR else { return "part of the path is a file, not a directory" }
    return String(cString: strerror(code))
}

extension Error {
    /// What failed, in words: of a file system's errors, which have none of their own, the operating
    /// system's; of JSON that is not as it should be, where and how.
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

    /// The same with the path, where it is an error of the file system that nothing else explains.
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

/// Writes what the operating system takes of some bytes; returns how many, or -1.
func systemWrite(_ descriptor: Int32, _ bytes: [UInt8]) -> Int {
    write(descriptor, bytes, bytes.count)
}
