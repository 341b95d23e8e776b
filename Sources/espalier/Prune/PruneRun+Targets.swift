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
        let quality = try stage("evaluate") { try evaluate(baseline, against: nil, on: text) }
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

    func reach(
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
                if let otherRuntime {
                    var watch = try otherRuntime.stopwatch(against: dense)
                    let files = try otherRuntime.emit(weights(plan), like: dense.checkpoint)
                    return try compare(files, with: &watch)
                }
                let model = try pack(weights(plan), name: name)
                finished = model
                var watch = try Workload(environment, model: baseline, engine: engine)
                return try compare(model, with: &watch)
            } report: { attempt in
                remark(
                    "\(name): predicted \(Human.ratio(attempt.predicted)), measured "
                        + Human.ratio(attempt.comparison.speedup))
            }
            let chosen = weights(best.plan)
            if finished?.shape != chosen.shape { finished = try pack(chosen, name: name) }
            let quality = try evaluate(finished ?? baseline, against: baseline, on: text)
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

    private func compare<Watch: Stopwatch>(
        _ model: Watch.Subject, with watch: inout Watch
    ) throws -> Comparison {
        try Comparison(model, with: &watch, timeLimit: options.seconds ?? 30) { _ in
            try Interruption.check()
        }
    }

    private func pack(_ weights: ShrunkWeights, name: String) throws -> Model {
        let progress = ProgressBar(
            "Shrinking to \(name)", total: weights.shape.layers.count, unit: "layers")
        defer { progress.finish() }
        return try Model(weights, precision: environment.precision) { done in
            progress.advance(to: done)
            try Interruption.check()
        }
    }
}
