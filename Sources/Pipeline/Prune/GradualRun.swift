internal import Foundation
internal import ModelFiles
internal import Profiling
internal import Pruning
internal import Reporting
internal import Tensors
internal import Transformers

/// A prune that reaches one target after another, each from the trained model of the target before.
///
/// Every target has a round: a prune and a training. Both have their own directories in `work`, and
/// resume there if they were stopped. The learning rate schedule starts again in every round. Speed
/// and quality are always measured against the dense model.
///
/// Source: Kurtić, Frantar and Alistarh, "ZipLM", arXiv 2302.04089, section 4.
final class GradualRun {
    private let options: PruneOptions
    private let recovery: RecoveryOptions
    private let progress: any JobProgress
    private let directory: RunDirectory
    private let dense: OpenedModel
    private let threads: Int
    /// The first target whose trained model loses more quality than allowed.
    private var refusal: QualityLimitError?

    /// Reads the model, and locks the directory.
    init(
        _ options: PruneOptions, recovery: RecoveryOptions, progress: any JobProgress
    ) throws {
        (self.options, self.recovery, self.progress) = (options, recovery, progress)
        dense = try OpenedModel(options.model, progress: progress)
        let environment = try options.environment.environment(
            for: dense.shape, adding: options.profile == nil ? MachineLimits.probeBytes : 0)
        threads = environment.threads
        var digests = try PruneInputs(options, dense: dense, environment: environment).digests
        let files = try FileDigest.ofTrainingFiles(
            text: recovery.text, task: recovery.task, validation: recovery.validation)
        for more in [files, recovery.digests] { digests.merge(more) { known, _ in known } }
        directory = try RunDirectory(
            options.output, inputs: digests,
            reading: [dense.location.path] + options.calibration + recovery.text
                + [options.profile, recovery.task, recovery.validation].compactMap(\.self),
            restarting: options.restarts)
    }

    /// Runs every round that is not finished, and writes the report.
    ///
    /// A run that fails before its first product leaves no files.
    func finish() throws -> PruneReport {
        try directory.leavingNothingUnused { try run() }
    }

    private func run() throws -> PruneReport {
        let whole = try evaluateDense()
        var results: [TargetResult] = []
        var (stages, plans): ([String: StageCost], [String: Plan]) = ([:], [:])
        for target in options.targets {
            let source = results.last?.path ?? options.model
            guard var result = try reach(target, from: source) else { break }
            result.recovery?.dense = whole?.value
            results.append(result)
            plans[directoryName(of: target)] = Plan(result)
            let round = try PruneReport(inDirectory: prune(for: target))
            stages.merge(round.stages) { $0 + $1 }
        }
        try directory.write(plans, Product.plans)
        refusal?.compare(with: results, against: try denseQuality)
        if let refusal, results.isEmpty { throw refusal }
        var report = try PruneReport(inDirectory: prune(for: options.targets[0]))
        report.targets = results
        stages["train"] = results.compactMap(\.recovery).reduce(nil) { cost, recovery in
            (cost ?? StageCost(seconds: 0, peakBytes: 0)) + recovery.cost
        }
        report.stages = stages
        report.refuse(refusal)
        func places(_ paths: [String]) -> Set<URL> {
            Set(paths.map { URL(fileURLWithPath: $0).resolvingSymlinksInPath() })
        }
        if !places(recovery.text).isDisjoint(with: places(options.calibration)) {
            report.notes.append(
                "The model was trained on the text that it is evaluated on: use another text.")
        }
        try report.finalize(in: directory, source: dense.location)
        if options.tidies { try directory.tidy() }
        return report
    }

    /// The score of the dense model on the trainings' evaluation set; nil if the model has no
    /// suitable head.
    ///
    /// Data that does not suit the model is refused here, before hours of pruning.
    private func evaluateDense() throws -> HeldOutScore? {
        struct Found: Codable {
            let score: HeldOutScore?
            // The key in the files.
            enum CodingKeys: String, CodingKey { case score = "judgement" }
        }
        if let known = directory.read(Found.self, Product.denseScore) { return known.score }
        let sequences = directory.product("work/sequences.bin")
        defer { try? FileManager.default.removeItem(atPath: sequences) }
        let training = recovery.training(
            of: options.model, by: options.model, threads: threads, seed: options.seed,
            output: directory.path)
        let set = try TrainingSet(training, for: dense, in: sequences)
        let hasHead = try set.head == nil || dense.checkpoint.classifier()?.kind == set.head
        let score =
            hasHead || training.teacher != nil
            ? try set.evaluate(
                try dense.packed(in: .f32), try set.head(of: dense), against: nil, of: dense,
                engine: Engine(threads: threads), "Evaluating the dense model") : nil
        try directory.write(Found(score: score), Product.denseScore)
        return score
    }

    private func prune(for target: Double) -> String {
        directory.product("work/\(directoryName(of: target))-pruned")
    }

    /// The dense model's quality, as measured in the first round.
    private var denseQuality: QualityFigures {
        get throws { try PruneReport(inDirectory: prune(for: options.targets[0])).dense }
    }

    /// Returns whether a trained model is within `--max-loss`; if not, it stores the refusal.
    private func isWithinLimit(_ quality: QualityFigures, at target: Double) throws -> Bool {
        refusal = QualityLimitError(
            of: quality, against: try denseQuality, at: target, limit: options.maxLoss)
        return refusal == nil
    }

    /// Prunes to a target and trains, or reads the result of an earlier run.
    ///
    /// The result is nil if the model loses more quality than allowed.
    private func reach(_ target: Double, from source: String) throws -> TargetResult? {
        let name = directoryName(of: target)
        try discard(name, unlessBehind: options.targets.filter { $0 < target })
        if directory.has(name), var known = directory.read(TargetResult.self, "work/\(name).json") {
            known.path = directory.product(name)
            return try isWithinLimit(known.quality, at: target) ? known : nil
        }
        let round = try PruneRun(round(target, from: source), progress: progress)
        try round.check(reaches: options.targets, try round.profile())
        guard var result = try round.finish().targets.first else {
            throw SearchError.unreachable(target: target, maximum: 1)
        }
        let text = try round.calibrationText()
        round.releaseModels()
        let training = try TrainingRun(
            recovery.training(
                of: result.path, by: options.model, threads: round.environment.threads,
                seed: options.seed, output: directory.product("work/\(name)-trained")),
            progress: progress
        ).finish()

        let trained = try OpenedModel(training.path, progress: progress)
        let (quality, second, continuations, weightBytes) = try round.measureQuality(
            try trained.packed(in: round.environment.precision), on: text)
        guard try isWithinLimit(quality, at: target) else { return nil }
        result.recovery = Recovery(
            method: recovery.method.rawValue, steps: training.steps,
            tokens: training.trainedTokens, measure: training.measure, before: training.before,
            after: training.after, unrecovered: result.quality,
            cost: StageCost(seconds: training.seconds, peakBytes: training.peakBytes))
        (result.quality, result.continuations) = (quality, continuations)
        result.weightBytes = weightBytes
        result.second = second
        result.path = directory.product(name)
        try emit(trained, to: result.path, storage: GGUFModel.Storage(round.environment.precision))
        try directory.write(result, "work/\(name).json")
        return result
    }

    /// Removes the products of a target if the lower targets have changed since then.
    ///
    /// The current lower targets are stored.
    private func discard(_ name: String, unlessBehind targets: [Double]) throws {
        let chain = "work/\(name)-chain.json"
        guard directory.read([Double].self, chain) != targets else { return }
        for made in [name, "work/\(name)-pruned", "work/\(name)-trained", "work/\(name).json"]
        where directory.has(made) {
            try FileManager.default.removeItem(atPath: directory.product(made))
        }
        try directory.write(targets, chain)
    }

    /// Returns the options of the prune in a round.
    private func round(_ target: Double, from source: String) throws -> PruneOptions {
        var round = options
        round.output = prune(for: target)
        round.speedups = [target]
        (round.recovery, round.tidies) = (nil, false)
        // Training recovers quality, so the limit applies after the training.
        round.maxLoss = nil
        if target != options.targets[0] {
            (round.model, round.reference) = (source, options.model)
            round.profile = prune(for: options.targets[0]) + "/" + Product.profile
        }
        return round
    }

    /// Copies a trained model to the directory of its target.
    private func emit(
        _ trained: OpenedModel, to path: String, storage: GGUFModel.Storage
    ) throws {
        let (files, unfinished) = (FileManager.default, path + ".tmp")
        for leftover in [unfinished, path] where files.fileExists(atPath: leftover) {
            try files.removeItem(atPath: leftover)
        }
        do {
            try files.copyItem(atPath: trained.location.path, toPath: unfinished)
            if options.runtime == .gguf {
                try GGUFModel.write(
                    trained.checkpoint, like: trained.checkpoint, to: unfinished + "/model.gguf",
                    storage: storage, progress: progress.check)
            }
            try files.moveItem(atPath: unfinished, toPath: path)
        } catch let error as CocoaError {
            throw ModelFileError(
                file: path, problem: "it cannot be written: \(error.plainReason)",
                remedy: "make room, or choose another -o")
        }
    }
}

extension RecoveryOptions {
    /// The inputs of a training other than its files.
    fileprivate var digests: [String: String] {
        [
            "--recover": method.rawValue, "--steps": String(settings.steps),
            "--rate": String(settings.rate), "--training-batch": String(settings.batch),
            "--training-length": String(length),
            "--training-precision": settings.precision.rawValue,
        ]
    }
}
