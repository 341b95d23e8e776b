import CHost
import CommandLine
import Evaluation
import Foundation
import ModelFiles
import Profiling
import Pruning
import Reporting
import Tensors
import Transformers

/// One prune from the dense model to the report; every stage leaves its product in the directory.
final class PruneRun {
    private let options: PruneOptions
    private let dense: LoadedModel
    private let environment: Profiling.Environment
    private let engine: Engine
    private let inputs: PruneInputs
    private let directory: RunDirectory
    private var costs: [String: StageCost]

    init(_ options: PruneOptions) throws {
        self.options = options
        dense = try LoadedModel(options.model)
        environment = try options.environment.environment(for: dense.model.shape)
        engine = Engine(threads: environment.threads)
        inputs = try PruneInputs(options, dense: dense, environment: environment)
        directory = try RunDirectory(
            options.output, inputs: inputs.digests, restarting: options.restarts)
        costs = directory.read([String: StageCost].self, "work/stages.json") ?? [:]
    }

    /// Runs every stage that has not finished, and reports.
    func finish() throws -> PruneReport {
        let table = try profile()
        for target in options.targets where target > table.greatestSpeedup {
            throw SearchError.unreachable(target: target, greatest: table.greatestSpeedup)
        }
        let text = try calibrationText()
        let facts = try calibrate(on: text)
        let surgery = Surgery(
            dense.checkpoint,
            calibration: try CalibrationFile(path: directory.product(Product.moments)),
            damping: options.damping, engine: engine)
        let knowledge = try know(surgery, facts, text)
        let denseQuality = try evaluateDense(on: text)
        var results: [TargetResult] = []
        for target in options.targets {
            results.append(
                try reach(target, table, surgery, knowledge, text: text))
        }
        let report = PruneReport(
            options: options, dense: dense, environment: environment, table: table,
            targets: results, denseQuality: denseQuality, text: text, facts: facts,
            stages: costs, inputs: inputs)
        try AtomicFile.write(try report.json(), to: directory.product("report.json"))
        try AtomicFile.write(Array(report.markdown.utf8), to: directory.product("report.md"))
        try AtomicFile.write(Array(report.html.utf8), to: directory.product("report.html"))
        return report
    }
}

/// The names of the stages' products.
private enum Product {
    static let profile = "profile.json"
    static let sampled = "work/sampled.json"
    static let moments = "work/moments.safetensors"
    static let facts = "work/calibration.json"
    static let losses = "losses.json"
    static let sensitivity = "work/sensitivity.json"
    static let denseQuality = "work/dense.json"
    static let plans = "plan.json"
}

extension PruneRun {
    /// Runs a stage, and keeps what it cost.
    private func stage<Result>(_ name: String, _ work: () throws -> Result) throws -> Result {
        try Interruption.check()
        let start = host_monotonic_nanoseconds()
        let result = try work()
        costs[name] = StageCost(
            seconds: Double(host_monotonic_nanoseconds() - start) * 1e-9,
            peakBytes: Int(host_peak_resident_bytes()))
        try directory.write(costs, "work/stages.json")
        return result
    }

    private func profile() throws -> LatencyTable {
        if directory.has(Product.profile) {
            return try existingProfile(directory.product(Product.profile))
        }
        var profiler = Profiler()
        if let seconds = options.seconds { profiler.timeLimit = seconds }
        let table = try stage("profile") {
            try options.profile.map(existingProfile)
                ?? measureProfile(
                    dense.model.shape, in: environment, on: engine, configured: profiler)
        }
        try AtomicFile.write(try table.json(), to: directory.product(Product.profile))
        return table
    }

    private func existingProfile(_ path: String) throws -> LatencyTable {
        let table = try LatencyTable(contentsOf: path)
        do {
            try table.check(against: dense.model.shape)
        } catch {
            var error = error
            error.file = path
            throw error
        }
        let wanted = environment
        var known = table.environment
        known.machine = wanted.machine
        guard known == wanted else {
            throw ProfileError(
                file: path, field: "environment",
                problem: "it is of \(known.summary), not \(wanted.summary)",
                remedy: "give the options it was made with, or leave out --profile")
        }
        return table
    }

    /// The text, or where none was given, text that the decoder writes itself.
    private func calibrationText() throws -> CalibrationText {
        if let text = inputs.text { return text }
        let count = max(8, options.calibrationTokens / 2048)
        let length = min(512, dense.model.shape.maximumPositions)
        if let known = directory.read([[Int32]].self, Product.sampled) {
            return CalibrationText(sampled: known)
        }
        remark(
            "No --calibration text: calibrating on \(count * length) tokens that the model "
                + "writes itself. Text like what it will see is better.")
        let tokenizer = try dense.checkpoint.tokenizer()
        let sampled = try stage("sample") {
            let progress = ProgressBar("Sampling text", total: count * length, unit: "tokens")
            defer { progress.finish() }
            return try SampledText.sequences(
                from: dense.model, on: engine,
                first: tokenizer.beginningOfText ?? tokenizer.endOfText ?? 0, sequences: count,
                length: length, seed: options.seed
            ) { done in
                progress.advance(to: done)
                try Interruption.check()
            }
        }
        try directory.write(sampled, Product.sampled)
        return CalibrationText(sampled: sampled)
    }

    private func calibrate(on text: CalibrationText) throws -> CalibrationFacts {
        if directory.has(Product.moments),
            let facts = directory.read(CalibrationFacts.self, Product.facts)
        {
            return facts
        }
        return try stage("calibrate") {
            let total = text.calibration.reduce(0) { $0 + $1.count }
            let progress = ProgressBar("Calibrating", total: total, unit: "tokens")
            let calibration = Calibration(
                shape: dense.model.shape, biased: try dense.checkpoint.biasedKinds,
                engine: engine)
            try calibration.collect(
                from: dense.model, batches(of: text.calibration, tokens: 2048)
            ) { done in
                progress.advance(to: done)
                try Interruption.check()
            }
            progress.finish()
            try CalibrationFile.write(calibration, to: directory.product(Product.moments))
            let facts = CalibrationFacts(
                tokens: calibration.tokens, blockInfluence: calibration.blockInfluence)
            try directory.write(facts, Product.facts)
            return facts
        }
    }

    private func know(
        _ surgery: Surgery, _ facts: CalibrationFacts, _ text: CalibrationText
    ) throws -> PruningMethod.Knowledge {
        var knowledge = PruningMethod.Knowledge(
            losses: LossTable(), blockInfluence: facts.blockInfluence, sensitivity: nil)
        let components = Plan(keepingAllOf: dense.model.shape).components
            .filter { dense.model.shape.units(of: $0) > 0 }.count
        if let losses = directory.read(LossTable.self, Product.losses) {
            knowledge.losses = losses
        } else {
            knowledge.losses = try stage("surgeon") {
                let progress = ProgressBar(
                    "Ordering removals", total: components, unit: "components")
                defer { progress.finish() }
                return try surgery.losses(order: options.method.order(seed: options.seed)) {
                    progress.advance(to: $0)
                    try Interruption.check()
                }
            }
            try directory.write(knowledge.losses, Product.losses)
        }
        guard options.method == .greedy else { return knowledge }
        if let known = directory.read(Sensitivity.self, Product.sensitivity) {
            knowledge.sensitivity = known
            return knowledge
        }
        let sensitivity = try stage("sensitivity") {
            let progress = ProgressBar(
                "Measuring sensitivity", total: components, unit: "components")
            defer { progress.finish() }
            let damage = Damage(from: dense.model, on: text.probe, engine: engine)
            return try Sensitivity(knowledge.losses, surgery: surgery, damage: damage) {
                progress.advance(to: $0)
                try Interruption.check()
            }
        }
        try directory.write(sensitivity, Product.sensitivity)
        knowledge.sensitivity = sensitivity
        return knowledge
    }

    private func evaluateDense(on text: CalibrationText) throws -> QualityFigures {
        if let known = directory.read(QualityFigures.self, Product.denseQuality) { return known }
        let quality = try stage("evaluate") { try evaluate(dense.model, against: nil, on: text) }
        try directory.write(quality, Product.denseQuality)
        return quality
    }

    private func evaluate(
        _ model: Model, against reference: Model?, on text: CalibrationText
    ) throws -> QualityFigures {
        let progress = ProgressBar("Evaluating", total: text.heldOut.count, unit: "sequences")
        defer { progress.finish() }
        func tick(_ done: Int) throws {
            progress.advance(to: done)
            try Interruption.check()
        }
        switch model.shape.architecture {
        case .llama:
            let quality = try DecoderQuality(
                of: model, against: reference, on: text.heldOut, engine: engine, progress: tick)
            return QualityFigures(
                perplexity: quality.perplexity, kl: quality.kl, top1: quality.top1)
        case .bert:
            let quality = try EncoderQuality(
                of: model, against: reference ?? model, on: text.heldOut, engine: engine,
                progress: tick)
            return QualityFigures(meanCosineDistance: quality.meanCosineDistance)
        }
    }

    private func reach(
        _ target: Double, _ table: LatencyTable, _ surgery: Surgery,
        _ knowledge: PruningMethod.Knowledge, text: CalibrationText
    ) throws -> TargetResult {
        let name = directoryName(of: target)
        let product = "work/\(name).json"
        if directory.has(name), var known = directory.read(TargetResult.self, product) {
            known.path = directory.product(name)
            return known
        }
        let result = try stage("target \(name)") {
            let space = SearchSpace(
                dense: Plan(keepingAllOf: dense.model.shape), costs: TableCosts(table))
            func weights(_ plan: Plan) -> ShrunkWeights {
                ShrunkWeights(
                    plan, losses: knowledge.losses, surgery: surgery,
                    order: options.method.order(seed: options.seed))
            }
            var finished: Model?
            let loop = ClosedLoop(target: target, attempts: options.attempts)
            let (best, attempts) = try loop.run(table) { budget in
                try options.method.plan(
                    within: budget, in: space, knowing: knowledge, seed: options.seed)
            } measure: { plan in
                finished = nil
                let model = try pack(weights(plan), name: name)
                finished = model
                return try Comparison(
                    model, against: dense.model, in: environment, on: engine,
                    timeLimit: options.seconds ?? 30
                ) { _ in try Interruption.check() }
            } report: { attempt in
                remark(
                    "\(name): predicted \(Human.ratio(attempt.predicted)), measured "
                        + Human.ratio(attempt.comparison.speedup))
            }
            let chosen = weights(best.plan)
            if finished?.shape != chosen.shape { finished = try pack(chosen, name: name) }
            let quality = try evaluate(finished ?? dense.model, against: dense.model, on: text)
            try Terminal.standardError.stage("Writing \(options.output)/\(name)") {
                try HuggingFaceDirectory.write(
                    chosen, like: dense.checkpoint, to: directory.product(name)
                ) { try Interruption.check() }
            }
            return TargetResult(
                target: target, attempt: best, attempts: attempts, path: directory.product(name),
                weights: chosen, quality: quality)
        }
        var plans = directory.read([String: Plan].self, Product.plans) ?? [:]
        plans[name] = Plan(result)
        try directory.write(plans, Product.plans)
        try directory.write(result, product)
        return result
    }

    private func pack(_ weights: ShrunkWeights, name: String) throws -> Model {
        let progress = ProgressBar(
            "Shrinking to \(name)", total: weights.shape.layers.count, unit: "layers")
        defer { progress.finish() }
        return try Model(weights) { done in
            progress.advance(to: done)
            try Interruption.check()
        }
    }
}

/// What calibration found besides the second moments.
struct CalibrationFacts: Codable {
    let tokens: Int
    let blockInfluence: [Double]
}
