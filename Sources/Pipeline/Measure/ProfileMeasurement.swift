internal import CHost
internal import Foundation
internal import ModelFiles
internal import Profiling
internal import Reporting
internal import Tensors
internal import Transformers

extension Profiler {
    /// Profiles a model's shape, and shows how many of the timed models are measured precisely
    /// enough.
    ///
    /// - Parameters:
    ///   - shape: The sizes of the dense model.
    ///   - location: The location of the model, for its name and error messages.
    ///   - environment: The conditions of timing.
    ///   - seconds: The maximum time; with verification it is a quarter longer.
    ///   - seed: The seed of the order of measurements and of the random plans.
    ///   - plans: The number of random plans that verify the profile; nil for no verification.
    ///   - formats: Formats to profile in addition to the environment's precision. A format is
    ///     profiled only if the dense model is faster in it than in every more precise format.
    ///     Other runtimes have no formats.
    ///   - progress: Shows the progress of measuring.
    /// - Returns: The profile.
    /// - Throws: `ModelFileError` if the layers differ, `CancellationError`, or the errors of
    ///   measuring.
    static func profile(
        _ shape: ModelShape, of location: ModelLocation, in environment: InferenceEnvironment,
        seconds: Double = Profiler().timeLimit, seed: UInt64, plans: Int? = nil,
        formats: [Precision] = [], progress: any JobProgress
    ) throws -> LatencyTable {
        guard !shape.layers.isEmpty, shape.isUniform else {
            throw ModelFileError(
                file: location.path, subject: "layers",
                problem: "their sizes differ, or there are none",
                remedy: "profile the dense model that this one was pruned from")
        }
        var profiler = Profiler()
        profiler.timeLimit = seconds
        profiler.seed = seed
        if let other = try OtherRuntime(environment, progress: progress) {
            var watch = try progress.stage("Writing models for other runtimes") {
                try other.stopwatch(for: shape, at: location)
            }
            return try profiler.measure(
                shape, named: location.name, with: &watch, plans: plans, progress)
        }
        var models: [Precision: Model] = [:]
        for format in [environment.precision] + formats {
            models[format] = try Model(
                RandomWeights(shape: shape, seed: seed), precision: format)
        }
        let (dense, engine) = (
            models[environment.precision]!, Engine(threads: environment.threads)
        )
        var watch = try Workload(environment, model: dense, others: models, engine: engine)
        if !formats.isEmpty {
            let faster = try progress.stage("Timing the formats") {
                try profiler.fasterFormats(shape, with: &watch)
            }
            let others = models.filter { faster.contains($0.key) }
            watch = try Workload(
                environment, model: dense, others: others,
                heads: heads(of: shape, for: faster, in: dense, seed: seed), engine: engine)
        }
        return try profiler.measure(
            shape, named: location.name, with: &watch, plans: plans, progress)
    }

    /// The dense model with output heads in those formats whose models have heads in another format.
    private static func heads(
        of shape: ModelShape, for formats: [Precision], in dense: Model, seed: UInt64
    ) -> [Precision: Model] {
        guard !shape.architecture.isEncoder, shape.hiddenSize % Int4Matrix.group == 0
        else { return [:] }
        let weight = RandomWeights(shape: shape, seed: seed).headWeight
        return formats.filter { $0.head != $0 }.reduce(into: [:]) {
            $0[$1] = dense.replacingHead(by: weight, in: $1)
        }
    }

    private func measure(
        _ shape: ModelShape, named name: String, with watch: inout some Stopwatch, plans: Int?,
        _ shown: any JobProgress
    ) throws -> LatencyTable {
        let models = Self.modelCount(for: shape, in: watch.formats, heads: watch.headFormats)
        var machine = Machine.current
        machine.memoryReadBandwidth = MachineLimits.readBandwidth(
            on: Engine(threads: watch.environment.threads))
        var first = self
        // A rough profile is enough to draw plans from.
        if plans != nil { first.timeLimit /= 4 }
        var table = try first.show("Profiling", models, on: shown) { progress in
            try first.profile(
                shape, with: &watch, on: machine, created: Date().ISO8601Format(),
                version: Espalier.version, progress: progress)
        }
        if let plans {
            table = try show("Verifying", models + plans, on: shown) { [table] progress in
                try verify(table, plans: plans, with: &watch, progress: progress)
            }
        }
        table.model = name
        return table
    }

    /// Runs a measurement and shows its progress.
    ///
    /// If the machine was too noisy, it adds a remark.
    private func show(
        _ title: String, _ total: Int, on shown: any JobProgress,
        _ measure: ((Progress) throws -> Void) throws -> Result
    ) throws -> LatencyTable {
        let stage = shown.begin(
            "\(title), at most \(Figures.duration(timeLimit))", total: total, unit: "models")
        let result: Result
        do {
            result = try measure { state in
                let passed = min(1, state.elapsed / timeLimit) * Double(total)
                stage.advance(to: max(min(state.converged, total), Int(passed)), note: nil)
                try shown.checkCancellation()
            }
            // Measuring may end early.
            stage.advance(to: total, note: nil)
            stage.finish()
        } catch {
            stage.finish()
            throw error
        }
        if result.unconverged > 0 {
            shown.remark(
                "The machine is noisy: the confidence intervals of \(result.unconverged) of "
                    + "\(total) models are wider than \(Figures.percent(relativeWidth)). Stop "
                    + "other programs, or measure longer.")
        }
        return result.table
    }
}
