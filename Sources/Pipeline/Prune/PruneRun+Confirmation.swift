internal import Foundation
internal import ModelFiles
internal import Profiling
internal import Pruning
internal import Reporting
internal import Tensors
internal import Transformers

/// The finished model is measured again, from its files, some time after the search measured it.
///
/// If the options name a program, the model is measured in a separate process. Disturbances of a
/// machine vary over time. A speedup that only one of two measurements shows is not reliable.
extension PruneRun {
    /// The maximum number of measurements of finished models for a target.
    ///
    /// If a model is too slow, a faster plan is searched for, but not after the last measurement.
    private static let maximumRounds = 3
    /// The maximum number of measurements of one model, if they are disturbed.
    private static let maximumRepeats = 3

    /// The maximum time to measure one plan on a machine without disturbances, in seconds.
    var measuringSeconds: Double { options.seconds ?? 20 }

    /// Measures a finished model again, and searches for a faster model while it misses its target.
    ///
    /// - Parameters:
    ///   - result: The finished model.
    ///   - name: The name of its target.
    ///   - table: The profile.
    ///   - replace: Searches for a faster plan and makes its model. The argument is the plan with
    ///     its new measurement. The result is nil if the model loses too much quality.
    /// - Returns: The last model made, with both of its measurements; nil if `replace` returned
    ///   nil.
    /// - Throws: The errors of measuring and of `replace`.
    func confirm(
        _ result: TargetResult, _ name: String, _ table: LatencyTable,
        replace: (TargetResult, Choice) throws -> (TargetResult, Choice)?
    ) throws -> TargetResult? {
        guard result.confirmation == nil else { return result }
        guard var choice = directory.read(Choice.self, Product.choice(name)) else { return result }
        var result = result
        for round in 1...Self.maximumRounds {
            let repeated = try stage("confirm \(name)") {
                try progress.stage("Measuring \(name) from its files") {
                    try remeasure(result, table)
                }
            }
            result.confirm(choice.attempt.comparison, repeated)
            progress.remark(
                "\(name): measured \(Figures.ratio(repeated.speedup)) from its files, in "
                    + (options.program == nil ? "this process" : "a separate process"))
            let isSlow = !repeated.isDisturbed && repeated.speedup < result.target
            guard isSlow, options.attempts > 1, round < Self.maximumRounds else { break }
            let measured = ClosedLoop.Attempt(
                plan: choice.attempt.plan, predicted: choice.attempt.predicted, comparison: repeated
            )
            do {
                guard
                    let next = try replace(
                        result, Choice(attempt: measured, trials: choice.trials))
                else { return nil }
                (result, choice) = next
            } catch SearchError.unreachable {
                break
            }
        }
        try directory.write(result, "work/\(name).json")
        return result
    }

    /// Returns the dense model's minimum median time so far, in seconds.
    ///
    /// It is nil if the profile is of another machine and nothing was measured on this one.
    func quietDense(_ table: LatencyTable) -> Double? {
        let isHere = table.environment.machine == environment.machine
        let measured = directory.read(Double.self, Product.quietDense)
        return [measured, isHere ? table.dense.seconds : nil].compactMap(\.self).min()
    }

    /// Stores the time of the dense model if it is the minimum so far.
    func keep(dense seconds: Double) throws {
        let known = directory.read(Double.self, Product.quietDense) ?? .infinity
        if seconds < known { try directory.write(seconds, Product.quietDense) }
    }

    private func remeasure(_ result: TargetResult, _ table: LatencyTable) throws -> Comparison {
        releaseModels()
        var known: Comparison?
        for _ in 0..<Self.maximumRepeats {
            let next =
                if let program = options.program {
                    try bench(result.path, by: program)
                } else {
                    try benchHere(result.path)
                }
            try keep(dense: next.dense.seconds)
            let allowing = quietDense(table).map { next.allowing(forQuietDense: $0) } ?? next
            known = known?.joined(with: allowing) ?? allowing
            if let known, !known.isDisturbed { return known }
        }
        return known!
    }

    /// Measures a finished model in this process.
    private func benchHere(_ path: String) throws -> Comparison {
        defer { releaseModels() }
        let model = try OpenedModel(path, progress: progress)
        if let otherRuntime {
            var watch = try otherRuntime.stopwatch(against: reference)
            return try Comparison(
                try otherRuntime.emit(model), with: &watch, timeLimit: measuringSeconds,
                tick: progress.check)
        }
        var watch = try Workload(environment, model: try baseline(), engine: timingEngine)
        return try Comparison(
            try model.packed(in: environment.precision), with: &watch,
            timeLimit: measuringSeconds, tick: progress.check)
    }

    /// Measures a finished model with the command `bench` of a program.
    private func bench(_ path: String, by program: String) throws -> Comparison {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = [
            "bench", path, "--against", reference.location.path, "--json", "--seconds",
            String(measuringSeconds), "--phase", environment.phase.rawValue, "--batch",
            String(environment.batch), "--sequence", String(environment.sequence), "--threads",
            String(environment.threads), "--precision", environment.precision.rawValue,
            "--runtime", environment.runtime,
        ]
        if let name = environment.instructionSet {
            process.arguments? += ["--instruction-set", name]
        }
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        do {
            try process.run()
        } catch {
            throw failure("bench cannot be run: \(error.localizedDescription)", of: path)
        }
        let answer = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try progress.checkCancellation()
        guard process.terminationStatus == 0,
            let found = try? JSONDecoder().decode(BenchComparison.self, from: answer)
        else { throw failure("bench ended with status \(process.terminationStatus)", of: path) }
        return found.comparison
    }

    private func failure(_ problem: String, of path: String) -> ProfileError {
        ProfileError(
            file: path, field: "measurement of the finished model", problem: problem,
            remedy: "run espalier bench \(path) --against \(reference.location.path) to see why, "
                + "then the same command again: it resumes here")
    }
}

/// The answer of `bench --json` for two models.
private struct BenchComparison: Decodable {
    struct ModelTime: Decodable {
        let seconds: Double
        let spread: Double
        let samples: Int

        var timing: Timing {
            Timing(
                seconds: seconds, low: seconds * (1 - spread / 2),
                high: seconds * (1 + spread / 2), samples: samples)
        }
    }

    let model: ModelTime
    let dense: ModelTime
    let speedup: Double
    let speedupInterval: [Double]
    let isDisturbed: Bool

    var comparison: Comparison {
        let ends = [speedup] + speedupInterval
        return Comparison(
            model: model.timing, dense: dense.timing, speedup: speedup,
            interval: ends.min()!...ends.max()!, isDisturbed: isDisturbed)
    }
}

extension TargetResult {
    /// Stores the speedup and the times of the second measurement, and an interval that covers
    /// both.
    fileprivate mutating func confirm(_ first: Comparison, _ repeated: Comparison) {
        confirmation = Confirmation(
            first: first.speedup,
            firstInterval: [first.interval.lowerBound, first.interval.upperBound],
            speedup: repeated.speedup,
            interval: [repeated.interval.lowerBound, repeated.interval.upperBound])
        let both = first.joined(with: repeated)
        (measured, seconds, denseSeconds) = (
            repeated.speedup, repeated.model.seconds, repeated.dense.seconds
        )
        interval = [
            min(both.interval.lowerBound, repeated.speedup),
            max(both.interval.upperBound, repeated.speedup),
        ]
        isDisturbed = repeated.isDisturbed
    }
}
