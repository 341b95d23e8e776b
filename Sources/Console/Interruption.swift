import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Stops long work cleanly: the first SIGINT or SIGTERM requests a stop, and the second signal ends
/// the process.
public enum Interruption {
    private static let requested = Atomic<Bool>(false)

    /// Whether the user has requested a stop; this is fast enough to read in every step of a loop.
    public static var isRequested: Bool { requested.load(ordering: .relaxed) }

    /// Handles SIGINT and SIGTERM from now on.
    ///
    /// A second signal exits at once with 128 plus the signal's number, which is 130 for Ctrl-C.
    ///
    /// SIGXFSZ is ignored, so that a write beyond the shell's limit on file sizes fails like a
    /// write to a full disk.
    public static func install() {
        // The first access creates the flag, which a signal handler must not do.
        requested.store(false, ordering: .relaxed)
        _ = signal(SIGXFSZ, SIG_IGN)
        for number in [SIGINT, SIGTERM] {
            // Only an atomic exchange and _exit are called, which are safe in a signal handler.
            _ = signal(number) { number in
                if Interruption.requested.exchange(true, ordering: .relaxed) {
                    _exit(128 + number)
                }
            }
        }
        // The parent process may have blocked the signals, as threads of Dispatch do.
        var both = sigset_t()
        sigemptyset(&both)
        for number in [SIGINT, SIGTERM] { sigaddset(&both, number) }
        pthread_sigmask(SIG_UNBLOCK, &both, nil)
    }

    /// Throws if the user has requested a stop.
    ///
    /// - Throws: `CancellationError`.
    public static func check() throws(CancellationError) {
        if isRequested { throw CancellationError() }
    }
}
