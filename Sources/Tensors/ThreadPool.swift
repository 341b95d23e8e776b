import CHost
import Foundation
import Synchronization

/// Threads for short pieces of parallel work.
///
/// The threads wait for work by spinning for a moment, and then sleep.
///
/// A decode step has hundreds of small products, so starting work on another thread must take about
/// a microsecond. The caller publishes a job by raising a counter that the workers read in a loop.
/// The caller runs the job as thread 0, and returns when every worker has finished.
public final class ThreadPool: Sendable {
    /// The number of threads that take part, the caller included.
    public let threads: Int

    private let state: PoolState

    /// Creates a pool of `threads` threads, at least 1, the caller included.
    public init(threads: Int) {
        precondition(threads >= 1, "a pool needs at least one thread")
        self.threads = threads
        let state = PoolState(threads: threads)
        self.state = state
        for index in 1..<max(threads, 1) {
            let thread = Thread { state.work(as: index) }
            thread.name = "espalier-\(index)"
            thread.start()
        }
    }

    deinit {
        state.publish(nil)
    }

    /// Calls `body` once on every thread, with the thread's index, and returns when all are done.
    ///
    /// The calls of `body` run at the same time, so they must write to different places. `body`
    /// must not use the pool. Only one thread may use a pool.
    public func run(_ body: (_ thread: Int) -> Void) {
        guard threads > 1 else { return body(0) }
        withoutActuallyEscaping(body) { body in
            withUnsafePointer(to: body) { job in
                state.remaining.store(threads - 1, ordering: .relaxed)
                state.publish(job)
                body(0)
                state.waitForWorkers()
            }
        }
    }

    /// Calls `body` for every index below `count`.
    ///
    /// Each thread repeatedly takes the next remaining index.
    public func forEach(_ count: Int, _ body: (_ index: Int, _ thread: Int) -> Void) {
        guard threads > 1, count > 1 else {
            for index in 0..<count { body(index, 0) }
            return
        }
        let next = state.next
        next.value.store(0, ordering: .relaxed)
        run { thread in
            while true {
                let index = next.value.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < count else { return }
                body(index, thread)
            }
        }
    }

    /// Divides `0..<count` into contiguous pieces, and calls `body` for each piece.
    ///
    /// Each thread has a share of the pieces. A thread first takes the pieces of its own share, and
    /// then pieces that are left in the shares of other threads.
    public func share(_ pieces: Int, of count: Int, _ body: (_ piece: Range<Int>) -> Void) {
        let (threads, taken) = (threads, state.taken)
        for counter in taken { counter.value.store(0, ordering: .relaxed) }
        run { thread in
            for turn in 0..<threads {
                let owner = (thread + turn) % threads
                let first = pieces * owner / threads
                let size = pieces * (owner + 1) / threads - first
                while true {
                    let place = taken[owner].value.wrappingAdd(1, ordering: .relaxed).oldValue
                    guard place < size else { break }
                    let piece = first + place
                    body(count * piece / pieces..<count * (piece + 1) / pieces)
                }
            }
        }
    }

    /// Divides `0..<count` into one contiguous range per thread, and calls `body` on each thread.
    ///
    /// A thread with an empty range does not call `body`.
    public func split(
        _ count: Int, _ body: (_ range: Range<Int>, _ thread: Int) -> Void
    ) {
        let threads = threads
        run { thread in
            let range = count * thread / threads..<count * (thread + 1) / threads
            if !range.isEmpty { body(range, thread) }
        }
    }
}

/// A counter that threads share.
private final class Counter: Sendable {
    let value = Atomic(0)
}

/// The state that the workers of a pool share with its owner.
///
/// `@unchecked`: only the owner writes `job`, while no worker runs and before the owner raises
/// `generation` (release). Workers read `job` only after they have seen the new generation
/// (acquire).
private final class PoolState: @unchecked Sendable {
    typealias Job = (Int) -> Void

    /// The number of times that a worker checks for work before it sleeps: some tens of
    /// microseconds.
    private static let spinLimit = 20_000

    /// The number of checks of unfinished workers before the owner yields its CPU: some
    /// microseconds.
    private static let looksBetweenYields = 512

    let generation = Atomic(0)
    let remaining = Atomic(0)
    let sleeping = Atomic(0)
    let next = Counter()
    /// The number of pieces of each thread's share that have been taken.
    let taken: [Counter]
    private let condition = NSCondition()
    private var job: UnsafePointer<Job>?

    init(threads: Int) {
        taken = (0..<threads).map { _ in Counter() }
    }

    /// Gives a job to the workers; nil ends the workers.
    func publish(_ job: UnsafePointer<Job>?) {
        self.job = job
        generation.wrappingAdd(1, ordering: .sequentiallyConsistent)
        if sleeping.load(ordering: .sequentiallyConsistent) > 0 {
            condition.lock()
            condition.broadcast()
            condition.unlock()
        }
    }

    /// Waits until every worker has finished.
    ///
    /// The owner yields its CPU regularly, because a worker may be waiting for this CPU.
    func waitForWorkers() {
        var looks = 0
        while remaining.load(ordering: .acquiring) > 0 {
            looks += 1
            if looks % Self.looksBetweenYields == 0 { host_yield() } else { host_pause() }
        }
    }

    func work(as index: Int) {
        var seen = 0
        while true {
            seen = waitForChange(of: seen)
            guard let job else { return }
            perform(job, as: index)
            remaining.wrappingSubtract(1, ordering: .releasing)
        }
    }

    /// Calls the job.
    ///
    /// This is a separate function, so that no reference to the job outlives the call. When
    /// `remaining` falls to 0, the owner returns and frees the job.
    @inline(never)
    private func perform(_ job: UnsafePointer<Job>, as index: Int) {
        job.pointee(index)
    }

    private func waitForChange(of seen: Int) -> Int {
        for _ in 0..<Self.spinLimit {
            let now = generation.load(ordering: .acquiring)
            if now != seen { return now }
            host_pause()
        }
        sleeping.wrappingAdd(1, ordering: .sequentiallyConsistent)
        condition.lock()
        while generation.load(ordering: .sequentiallyConsistent) == seen { condition.wait() }
        condition.unlock()
        sleeping.wrappingSubtract(1, ordering: .sequentiallyConsistent)
        return generation.load(ordering: .acquiring)
    }
}
