#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What a path leads to.
enum FileKind: Equatable {
    case regular
    case directory
    case other
    case unreachable(reason: String)

    /// Follows symbolic links.
    init(of path: String) {
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

/// The operating system's words for why the last call failed.
func lastSystemError() -> String {
    String(cString: strerror(errno))
}

/// Writes what the operating system takes of some bytes; returns how many, or -1.
func systemWrite(_ descriptor: Int32, _ bytes: [UInt8]) -> Int {
    write(descriptor, bytes, bytes.count)
}
