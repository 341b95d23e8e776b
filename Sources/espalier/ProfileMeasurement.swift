import CommandLine
import Foundation
import Profiling
import Tensors
import Transformers

/// Profiles a shape, showing how far it is.
func measureProfile(
    _ shape: ModelShape, in environment: Profiling.Environment, on engine: Engine,
    configured: Profiler = Profiler()
) throws -> LatencyTable {
    var bar: ProgressBar?
    let result = try configured.profile(
        shape, in: environment, on: engine, created: Date().ISO8601Format(),
        version: Espalier.version
    ) { progress in
        if bar == nil { bar = ProgressBar("Profiling", total: progress.total, unit: "levels") }
        bar?.advance(to: progress.settled)
        try Interruption.check()
    }
    bar?.finish()
    if result.unsettled > 0 {
        remark(
            "The machine is noisy: \(result.unsettled) levels are less certain than "
                + "\(Human.percent(configured.relativeWidth)).")
    }
    return result.table
}
