import Foundation
import Synchronization
import Testing

@testable import Tensors

@Suite("Thread pool")
struct ThreadPoolTests {
    /// Counts the visits of each index.
    private final class Visits: Sendable {
        private let counts: Mutex<[Int]>

        init(_ count: Int) { counts = Mutex([Int](repeating: 0, count: count)) }

        func visit(_ indices: some Sequence<Int>) {
            counts.withLock { for index in indices { $0[index] += 1 } }
        }

        var all: [Int] { counts.withLock { $0 } }
    }

    @Test("every thread runs each job once, thousands of times", arguments: [1, 2, 3, 8])
    func jobs(threads: Int) {
        let pool = ThreadPool(threads: threads)
        let visits = Visits(threads)
        for _ in 0..<2000 { pool.run { visits.visit(CollectionOfOne($0)) } }
        #expect(visits.all == [Int](repeating: 2000, count: threads))
    }

    @Test("every index is visited once, for every division of the work", arguments: [1, 2, 3, 8])
    func indices(threads: Int) {
        let pool = ThreadPool(threads: threads)
        var random = SplitMix64(seed: UInt64(threads))
        for _ in 0..<300 {
            let count = Int.random(in: 0..<40, using: &random)
            let pieces = Int.random(in: 1...12, using: &random)
            let visits = Visits(count)
            pool.forEach(count) { index, _ in visits.visit(CollectionOfOne(index)) }
            pool.split(count) { range, _ in visits.visit(range) }
            pool.share(pieces, of: count) { visits.visit($0) }
            #expect(visits.all == [Int](repeating: 3, count: count), "\(count) in \(pieces)")
        }
    }

    @Test("the writes of all threads are visible after a job, also if threads slept before")
    func memory() {
        let pool = ThreadPool(threads: 4)
        var values = [Int](repeating: 0, count: 4096)
        for round in 1...60 {
            // In some rounds the workers sleep, in other rounds they spin.
            if round % 6 == 0 { usleep(3000) }
            values.withUnsafeMutableBufferPointer { values in
                let values = values
                pool.split(values.count) { range, _ in
                    for index in range { values[index] += index }
                }
            }
            #expect(values.indices.allSatisfy { values[$0] == round * $0 })
        }
    }

    @Test("the end of a pool ends its threads, sleeping or not")
    func ending() throws {
        func threads() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count
        }
        guard FileManager.default.fileExists(atPath: "/proc/self/task") else { return }
        let before = try threads()
        for round in 0..<50 {
            let pool = ThreadPool(threads: 5)
            pool.run { _ in }
            if round % 10 == 0 { usleep(3000) }
        }
        // Threads end with a delay, and other tests start and end threads too.
        for _ in 0..<500 where try threads() > before + 50 { usleep(10_000) }
        #expect(try threads() <= before + 50, "200 threads were started")
    }
}
