import CommandLine
import Evaluation
import Profiling
import Pruning
import Reporting
import Transformers

/// The stages that reach a target and say what it was worth.
extension PruneRun {
    func evaluateDense(on text: CalibrationText) throws -> QualityFigures {
        if let known = directory.read(QualityFigures.self, Product.denseQuality) { return known }
        let quality = try stage("evaluate") { try evaluate(try baseline(), against: nil, on: text) }
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
        if model.shape.architecture.isEncoder {
            let quality = try EncoderQuality(
                of: model, against: reference ?? model, on: text.heldOut, engine: engine,
                progress: tick)
            return QualityFigures(meanCosineDistance: quality.meanCosineDistance)
        }
        let quality = try DecoderQuality(
            of: model, against: reference, on: text.heldOut, engine: engine, progress: tick)
        return QualityFigures(
            perplexity: quality.perplexity, kl: quality.kl, top1: quality.top1)
    }

    func reach(
        _ target: Double, by method: PruningMethod, _ table: LatencyTable, _ surgery: Surgery,
        _ knowledge: PruningMethod.Knowledge, text: CalibrationText
    ) throws -> TargetResult {
        let isBaseline = method != options.method
        let name = (isBaseline ? method.rawValue + "-" : "") + directoryName(of: target)
        let product = "work/\(name).json"
        if directory.has(name), var known = directory.read(TargetResult.self, product) {
            known.path = directory.product(name)
            return known
        }
        let result = try stage("target \(name)") {
            let space = SearchSpace(
                dense: Plan(keepingAllOf: dense.shape), costs: TableCosts(table))
            func weights(_ plan: Plan) -> ShrunkWeights {
                ShrunkWeights(
                    plan, losses: knowledge.losses, surgery: surgery,
                    order: method.order(seed: options.seed))
            }
            var finished: Model?
            let loop = ClosedLoop(target: target, attempts: options.attempts)
            var knowledge = knowledge
            let budget = table.interplay.sum(
                ofSeconds: table.budget(forSpeedup: target * (1 + loop.margin)))
            if method == .spdy {
                knowledge.coefficients = try coefficients(
                    for: name, in: space, within: budget,
                    losses: knowledge.losses, on: text, weights: weights)
            }
            let (best, attempts) = try loop.run(table) { budget in
                try method.plan(
                    within: budget, in: space, knowing: knowledge, seed: options.seed)
            } measure: { plan in
                finished = nil
                if let otherRuntime {
                    var watch = try otherRuntime.stopwatch(against: dense)
                    let files = try otherRuntime.emit(weights(plan), like: dense.checkpoint)
                    return try compare(files, with: &watch)
                }
                let model = try pack(weights(plan), name: name)
                finished = model
                var watch = try Workload(environment, model: try baseline(), engine: engine)
                return try compare(model, with: &watch)
            } report: { attempt in
                remark(
                    "\(name): predicted \(Human.ratio(attempt.predicted)), measured "
                        + Human.ratio(attempt.comparison.speedup))
            }
            var chosen = weights(best.plan)
            if !isBaseline, refits {
                finished = nil
                chosen = try refit(chosen, on: text)
            }
            if finished?.shape != chosen.shape { finished = try pack(chosen, name: name) }
            let quality = try evaluate(
                try finished ?? baseline(), against: try baseline(), on: text)
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

    /// Whether kept weights are fitted once more when the plan is final.
    private var refits: Bool {
        options.refitTokens > 0 && !isLarge
            && options.method.order(seed: options.seed).correction == .leastSquares
    }

    /// The same plan, its weights fitted to what the pruned model itself computes.
    private func refit(_ weights: ShrunkWeights, on text: CalibrationText) throws -> ShrunkWeights {
        let sequences = text.spread(tokens: options.refitTokens)
        let progress = ProgressBar(
            "Refitting", total: dense.shape.components.count, unit: "components")
        defer { progress.finish() }
        return try weights.refitted(
            to: try denseModel(), on: batches(of: sequences, tokens: 2048),
            passes: options.refitPasses, engine: engine
        ) {
            progress.advance(to: $0)
            try Interruption.check()
        }
    }

    private func compare<Watch: Stopwatch>(
        _ model: Watch.Subject, with watch: inout Watch
    ) throws -> Comparison {
        try Comparison(model, with: &watch, timeLimit: options.seconds ?? 30) { _ in
            try Interruption.check()
        }
    }

    /// The coefficients that SPDY finds for a target, by the loss of models on calibration text.
    private func coefficients(
        for name: String, in space: SearchSpace, within budget: Double, losses: LossTable,
        on text: CalibrationText, weights: (Plan) -> ShrunkWeights
    ) throws -> [Double] {
        let product = "work/\(name)-coefficients.json"
        if let known = directory.read([Double].self, product) { return known }
        var search = SPDYSearch(space) { losses.prior(of: $0, keeping: $1) }
        search.starts = max(1, options.trials / 11)
        search.steps = options.trials - search.starts
        let damage =
            try dense.shape.architecture.isEncoder
            ? Damage(from: denseModel(), on: text.probe, engine: engine) : nil
        let progress = ProgressBar("Searching for \(name)", total: options.trials, unit: "plans")
        defer { progress.finish() }
        // Plans that are tried one after another have most layers in common.
        var latest = try baseline()
        let found = try search.coefficients(within: budget, seed: options.seed) { plan in
            var model = latest
            let weights = weights(plan)
            for layer in model.shape.layers.indices
            where model.shape.layers[layer] != weights.shape.layers[layer] {
                model = try model.replacing(layer: layer, of: weights)
            }
            latest = model
            if let damage { return damage.of(model) }
            return try DecoderQuality(
                of: model, against: nil, on: text.spread(tokens: 4096), engine: engine
            ) { _ in try Interruption.check() }.meanNLL
        } progress: {
            progress.advance(to: $0)
        }
        try directory.write(found, product)
        return found
    }

    /// The model of a plan in the environment's precision, behind a progress bar if it has a name.
    private func pack(_ weights: ShrunkWeights, name: String?) throws -> Model {
        let progress = name.map {
            ProgressBar("Shrinking to \($0)", total: weights.shape.layers.count, unit: "layers")
        }
        defer { progress?.finish() }
        return try Model(weights, precision: environment.precision) { done in
            progress?.advance(to: done)
            try Interruption.check()
        }
    }
}
