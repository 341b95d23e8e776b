import CHost
import CommandLine
import Foundation
import ModelFiles
import Profiling
import Tensors
import Transformers

extension Profiler {
    /// Measures a shape while showing how many of the models timed for it are known well enough.
    ///
    /// - Parameters:
    ///   - shape: The sizes of the dense model.
    ///   - location: Where they come from, for errors.
    ///   - environment: The conditions.
    ///   - seconds: The most time; a quarter more with verification.
    ///   - seed: Decides orders and random plans.
    ///   - plans: How many random plans to verify the profile with; nil for no verification.
    /// - Returns: The profile.
    /// - Throws: `ModelFileError` where the layers differ, `Interrupted` when the user asks to
    ///   stop, and what measuring throws.
    static func profile(
        _ shape: ModelShape, of location: ModelLocation, in environment: Profiling.Environment,
        seconds: Double = Profiler().timeLimit, seed: UInt64, plans: Int? = nil
    ) throws -> LatencyTable {
        guard Set(shape.layers).count == 1 else {
            throw ModelFileError(
                file: location.path, subject: "layers", problem: "their sizes differ, or are none",
                remedy: "profile the dense model that this one was pruned from")
        }
        var profiler = Profiler()
        profiler.timeLimit = seconds
        profiler.seed = seed
        if let other = try OtherRuntime(environment) {
            var watch = try Terminal.standardError.stage("Writing models for other runtimes") {
                try other.stopwatch(for: shape, at: location)
            }
            return try profiler.measure(shape, named: location.name, with: &watch, plans: plans)
        }
        let dense = try Model(
            RandomWeights(shape: shape, seed: seed), precision: environment.precision)
        var watch = try Workload(
            environment, model: dense, engine: Engine(threads: environment.threads))
        return try profiler.measure(shape, named: location.name, with: &watch, plans: plans)
    }

    private func measure(
        _ shape: ModelShape, named name: String, with watch: inout some Stopwatch, plans: Int?
    ) throws -> LatencyTable {
        let models = Self.modelCount(for: shape)
        var machine = Machine.current
        machine.memoryReadBandwidth = MachineLimits.readBandwidth(
            on: Engine(threads: watch.environment.threads))
        var first = self
        // To draw plans from, a rough profile will do.
        if plans != nil { first.timeLimit /= 4 }
        var table = try first.show("Profiling", models) { progress in
            try first.profile(
                shape, with: &watch, on: machine, created: Date().ISO8601Format(),
                version: Espalier.version, progress: progress)
        }
        if let plans {
            table = try show("Verifying", models + plans) { [table] progress in
                try verify(table, plans: plans, with: &watch, progress: progress)
            }
        }
        table.model = name
        return table
    }

    /// Runs a measurement behind a progress bar, and says where the machine was too noisy for it.
    private func show(
        _ title: String, _ total: Int, _ measure: ((Progress) throws -> Void) throws -> Result
    ) throws -> LatencyTable {
        let bar = ProgressBar(
            "\(title), at most \(Human.duration(timeLimit))", total: total, unit: "models")
        let result = try measure { state in
            let passed = min(1, state.elapsed / timeLimit) * Double(total)
            bar.advance(to: max(min(state.settled, total), Int(passed)))
            try Interruption.check()
        }
        // The time may be over first.
        bar.advance(to: total)
        bar.finish()
        if result.unsettled > 0 {
            remark(
                "The machine is noisy: the times of \(result.unsettled) of \(total) models are less "
                    + "certain than \(Human.percent(relativeWidth)); stop other programs, or "
                    + "measure longer.")
        }
        return result.table
    }
}
