internal import CHost
internal import Profiling
internal import Tensors
internal import Transformers

/// Times one model on request of another program, which can time other runtimes between requests.
///
/// Each request is a number of runs. The answer is the mean time of these runs. Before them, one
/// run is done that is not counted.
package struct TimingServer {
    /// The answer to one request.
    package struct Block: Encodable {
        /// The mean time of a run.
        let seconds: Double
        /// The processor time as a fraction of the threads' elapsed time.
        ///
        /// The fraction is lower if other programs used the processors.
        let share: Double
    }

    private let model: Model
    private let threads: Int
    private var workload: Workload
    private let progress: any JobProgress

    /// Prepares the work and warms it up.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - environment: The conditions of timing.
    ///   - text: The tokens to decode, if the time depends on them.
    ///   - progress: Can stop the timing.
    /// - Throws: `ProfileError` if the model cannot do such work.
    init(
        _ model: Model, in environment: InferenceEnvironment, text: [Int32],
        progress: any JobProgress
    ) throws {
        (self.model, self.progress) = (model, progress)
        threads = environment.threads
        workload = try Workload(
            environment, model: model, clearsCaches: false, text: text,
            engine: Engine(threads: threads))
    }

    /// Times runs.
    ///
    /// - Parameter request: The number of runs, in digits.
    /// - Returns: The mean time of the runs.
    /// - Throws: ``InvalidOptions`` for a request that is not a number of runs, or
    ///   `CancellationError`.
    package mutating func answer(_ request: String) throws -> Block {
        guard let runs = Int(request), (1...1_000_000).contains(runs) else {
            throw InvalidOptions(
                "--serve reads numbers of runs from 1 to 1000000, not '\(request)'")
        }
        _ = workload.sample(model)
        let busy = host_process_cpu_nanoseconds()
        let start = host_monotonic_nanoseconds()
        var seconds = 0.0
        for _ in 0..<runs {
            seconds += workload.sample(model).seconds
            try progress.checkCancellation()
        }
        let elapsed = Double(host_monotonic_nanoseconds() - start)
        let used = Double(host_process_cpu_nanoseconds() - busy)
        return Block(
            seconds: seconds / Double(runs), share: used / (elapsed * Double(threads)))
    }
}
