import CHost
import CommandLine
import Foundation
import Profiling
import Tensors
import Transformers

/// Times one model when another program asks, which can so time other runtimes in between.
///
/// It prints `{"ready":true}`. Then each line it reads is a number of runs, and it answers with the
/// mean of so many after one that does not count. The end of the input ends it.
struct TimingServer {
    /// The answer to one line.
    struct Block: Encodable {
        /// The mean time of a run.
        let seconds: Double
        /// Processor time as a fraction of the threads' elapsed time; less where others ran.
        let share: Double
    }

    private let model: Model
    private let threads: Int
    private var workload: Workload

    /// Prepares and warms up the work.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - environment: The conditions.
    ///   - text: Tokens to decode, where it matters which.
    /// - Throws: `ProfileError` where the model cannot do such work.
    init(_ model: Model, in environment: Profiling.Environment, text: [Int32]) throws {
        self.model = model
        threads = environment.threads
        workload = try Workload(
            environment, model: model, clearsCaches: false, text: text,
            engine: Engine(threads: threads))
    }

    /// Answers every line of standard input.
    ///
    /// - Throws: `UsageError` for a line that is no number of runs, `Interrupted` when the user asks
    ///   to stop.
    mutating func run() throws {
        try answer(["ready": true])
        while let line = readLine() {
            guard let runs = Int(line), (1...1_000_000).contains(runs) else {
                throw UsageError("--serve reads numbers of runs from 1 to 1000000, not '\(line)'")
            }
            try answer(block(of: runs))
        }
    }

    private mutating func block(of runs: Int) throws(Interrupted) -> Block {
        _ = workload.sample(model)
        let busy = host_process_cpu_nanoseconds()
        let start = host_monotonic_nanoseconds()
        var seconds = 0.0
        for _ in 0..<runs {
            seconds += workload.sample(model).seconds
            try Interruption.check()
        }
        let elapsed = Double(host_monotonic_nanoseconds() - start)
        let used = Double(host_process_cpu_nanoseconds() - busy)
        return Block(
            seconds: seconds / Double(runs), share: used / (elapsed * Double(threads)))
    }

    private func answer(_ value: some Encodable) throws {
        try writeOutput(JSONEncoder().encode(value) + Data("\n".utf8))
    }
}
