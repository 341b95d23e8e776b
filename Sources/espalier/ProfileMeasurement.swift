import CommandLine
import Foundation
import ModelFiles
import Profiling
import Tensors
import Transformers

extension Profiler {
    /// Measures a shape while showing how many of its levels are known well enough.
    ///
    /// - Throws: `ModelFileError` where the layers differ, `Interrupted` when the user asks to
    ///   stop, and what measuring throws.
    static func profile(
        _ shape: ModelShape, of location: ModelLocation, in environment: Profiling.Environment,
        seconds: Double = Profiler().timeLimit, seed: UInt64
    ) throws -> LatencyTable {
        guard Set(shape.layers).count == 1 else {
            throw ModelFileError(
                file: location.path, subject: "layers", problem: "their sizes differ, or are none",
                remedy: "profile the dense model that this one was pruned from")
        }
        var profiler = Profiler()
        profiler.timeLimit = seconds
        profiler.seed = seed
        let levels = ComponentKind.allCases.reduce(1) {
            $0 + max(1, LevelGrid.levels(of: $1, in: shape).count)
        }
        let progress = ProgressBar(
            "Profiling, at most \(Human.duration(seconds))", total: levels, unit: "levels")
        let result = try profiler.profile(
            shape, in: environment, on: Engine(threads: environment.threads),
            created: Date().ISO8601Format(), version: Espalier.version
        ) { state in
            progress.advance(to: state.settled)
            try Interruption.check()
        }
        progress.finish()
        if result.unsettled > 0 {
            remark(
                "The machine is noisy: \(result.unsettled) levels are less certain than "
                    + "\(Human.percent(profiler.relativeWidth)); stop other programs, or measure "
                    + "longer.")
        }
        return result.table
    }
}
