import Pipeline
import Synchronization

/// Progress that records events, and can stop a job when a stage begins.
final class RecordedProgress: JobProgress {
    /// An event that a job reported.
    enum Event: Equatable {
        case began(String)
        case advanced(Int)
        case ended(String)
        case remarked(String)
    }

    private let stopping: String?
    private let state = Mutex<(events: [Event], isStopped: Bool)>(([], false))

    /// Creates progress that stops the job at the first stage whose title begins with `stopping`.
    init(stopping: String? = nil) { self.stopping = stopping }

    var events: [Event] { state.withLock { $0.events } }

    /// The titles of the stages that began, in order.
    var titles: [String] {
        events.compactMap { if case .began(let title) = $0 { title } else { nil } }
    }

    /// Whether a stage has begun that has the prefix `title` in its title.
    func began(_ title: String) -> Bool { titles.contains { $0.hasPrefix(title) } }

    fileprivate func add(_ event: Event) { state.withLock { $0.events.append(event) } }

    private func start(_ title: String) {
        state.withLock {
            $0.events.append(.began(title))
            if let stopping, title.hasPrefix(stopping) { $0.isStopped = true }
        }
    }

    func begin(_ title: String, total: Int, unit: String) -> any CountedStage {
        start(title)
        return Stage(progress: self, title: title)
    }

    func stage<Result>(_ title: String, _ work: () throws -> Result) throws -> Result {
        start(title)
        defer { add(.ended(title)) }
        return try work()
    }

    func remark(_ text: String) { add(.remarked(text)) }

    func checkCancellation() throws {
        if state.withLock({ $0.isStopped }) { throw CancellationError() }
    }

    private struct Stage: CountedStage {
        let progress: RecordedProgress
        let title: String

        func advance(to count: Int, note: String?) { progress.add(.advanced(count)) }
        func finish() { progress.add(.ended(title)) }
    }
}
