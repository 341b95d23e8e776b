import Dispatch

/// Runs one body on several threads at once.
public final class ThreadPool: Sendable {
    /// The number of threads that a body runs on.
    public let threads: Int

    /// Creates a pool of a number of threads.
    public init(threads: Int) {
        self.threads = max(1, threads)
    }

    /// Runs a body once for every thread index and returns when all have ended.
    public func run(_ body: (_ thread: Int) -> Void) {
        if threads == 1 {
            body(0)
        } else {
            withoutActuallyEscaping(body) { body in
                nonisolated(unsafe) let shared = body
                DispatchQueue.concurrentPerform(iterations: threads) { shared($0) }
            }
        }
    }
}
