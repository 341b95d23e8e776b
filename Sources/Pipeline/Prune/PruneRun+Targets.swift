internal import Evaluation
internal import Profiling
internal import Pruning
internal import Reporting
internal import Tensors
internal import Transformers

/// The stages that reach a target, and measure the quality of its model.
extension PruneRun {
    func evaluateDense(
        on text: CalibrationText, _ set: EvaluationSet = .heldOut
    ) throws -> QualityFigures {
        let product = set == .heldOut ? Product.denseQuality : Product.denseSecondQuality
        if let known = directory.read(QualityFigures.self, product) { return known }
        let quality = try stage("evaluate") {
            try evaluate(try baseline(), against: nil, on: text, set)
        }
        try directory.write(quality, product)
        return quality
    }

    func evaluate(
        _ model: Model, of channels: [Int]? = nil, against reference: Model?,
        on text: CalibrationText, _ set: EvaluationSet
    ) throws -> QualityFigures {
        let sequences = try sequences(of: set, text)
        return try progress.counting(
            "Evaluating", total: sequences.count, unit: "sequences"
        ) { advance in
            if model.shape.architecture.isEncoder {
                let width = channels == nil ? model.shape.hiddenSize : dense.shape.hiddenSize
                // The channels are not known relative to the dense model, so vectors are not
                // comparable.
                guard width == (reference ?? model).shape.hiddenSize else {
                    return QualityFigures()
                }
                let quality = try EncoderQuality(
                    of: model, against: reference ?? model, channels: channels, on: sequences,
                    engine: engine, progress: advance)
                return QualityFigures(meanCosineDistance: quality.meanCosineDistance)
            }
            if reference != nil, denseStates[set] == nil {
                denseStates[set] = try .states(
                    of: try baseline(), on: sequences, engine: engine, progress: progress.check)
            }
            let quality = try DecoderQuality(
                of: model, against: reference == nil ? nil : denseStates[set], on: sequences,
                engine: engine, progress: advance)
            return QualityFigures(
                perplexity: quality.perplexity, kl: quality.kl, top1: quality.top1)
        }
    }

    /// Measures the quality of the dense model in each format that the search may use; nil if there
    /// is no such format.
    func measureFormats(
        _ table: LatencyTable, on text: CalibrationText
    ) throws -> [FormatResult]? {
        let formats = usableFormats(table)
        guard !formats.isEmpty else { return nil }
        if let known = directory.read([FormatResult].self, Product.formats) { return known }
        let whole = try evaluateDense(on: text)
        let results = try stage("formats") {
            try formats.map { format in
                let model = try denseModel(in: format)
                return FormatResult(
                    format: format.rawValue,
                    speedup: table.dense.seconds
                        / (table.denseSeconds(in: format) ?? table.dense.seconds),
                    weightBytes: model.weightBytes,
                    quality: try evaluate(model, against: try baseline(), on: text, .heldOut))
            }
        }
        for result in results {
            progress.remark(
                "The dense model in \(result.format): \(Figures.ratio(result.speedup)), "
                    + result.quality.summary(against: whole))
        }
        try directory.write(results, Product.formats)
        return results
    }

    /// Measures the quality and the memory of a model, and lets it continue the prompts.
    ///
    /// The quality is measured against the reference.
    ///
    /// `channels` are the reference's channels that the model keeps; nil for all.
    func measureQuality(
        _ model: Model, of channels: [Int]? = nil, on text: CalibrationText
    ) throws -> (
        quality: QualityFigures, second: QualityFigures, continuations: [String]?, weightBytes: Int
    ) {
        (
            try evaluate(model, of: channels, against: try baseline(), on: text, .heldOut),
            try evaluate(model, of: channels, against: try baseline(), on: text, .second),
            try continuations(by: model, of: text), model.weightBytes
        )
    }

    /// Reaches every target with one method.
    ///
    /// The models of a baseline are only for comparison.
    func reach(
        by method: PruningMethod, isBaseline: Bool, _ table: LatencyTable, _ surgery: Surgery,
        _ calibrationResults: PruningMethod.CalibrationResults, text: CalibrationText
    ) throws -> [TargetResult] {
        let names = options.targets.map {
            (isBaseline ? method.rawValue + "-" : "") + directoryName(of: $0)
        }
        var results = names.map { name in
            directory.has(name) ? directory.read(TargetResult.self, "work/\(name).json") : nil
        }
        for index in results.indices { results[index]?.path = directory.product(names[index]) }
        let missing = results.indices.filter { results[$0] == nil }
        var choices: [Choice] = []
        for index in missing {
            choices.append(
                try choose(
                    options.targets[index], names[index], by: method, after: choices.last, table,
                    surgery, calibrationResults, text))
        }
        var family = choices.map { choice in
            ShrunkWeights(
                choice.attempt.plan, losses: calibrationResults.losses, surgery: surgery,
                order: method.order(seed: options.seed))
        }
        if refits(method) { family = try refit(family, on: text) }
        for (choice, index) in zip(choices, missing) {
            results[index] = try finish(
                choice, options.targets[index], names[index], family.removeFirst(), on: text,
                limit: isBaseline ? nil : options.maxLoss)
            // Higher targets lose more quality.
            if !isBaseline, refusal != nil { break }
        }
        guard !isBaseline else { return results.compactMap(\.self) }
        let confirmed = try zip(results, names).compactMap { result, name -> TargetResult? in
            guard let result else { return nil }
            return try confirm(result, name, table) { result, choice in
                let again = try choose(
                    result.target, name, by: method, after: choice, table, surgery,
                    calibrationResults, text,
                    attempts: 1)
                var weights = [
                    ShrunkWeights(
                        again.attempt.plan, losses: calibrationResults.losses, surgery: surgery,
                        order: method.order(seed: options.seed))
                ]
                if refits(method) { weights = try refit(weights, on: text) }
                return try finish(
                    again, result.target, name, weights[0], on: text, limit: options.maxLoss
                ).map { ($0, again) }
            }
        }
        return try keepingToLimit(confirmed, on: text) {
            try losses(below: $0, by: method, table, surgery, calibrationResults, on: text)
        }
    }

    /// A plan that was measured.
    struct Choice: Codable {
        let attempt: ClosedLoop.Attempt
        /// All plans that were measured, including this one.
        let trials: [TargetResult.Trial]
    }

    /// Returns the plans from which the search chooses.
    func space(_ table: LatencyTable) -> SearchSpace {
        var whole = Plan(keepingAllOf: dense.shape)
        // A model with a reduced hidden size is smaller than the profiled model.
        if dense.shape.hiddenSize != table.shape.hiddenSize {
            whole.hiddenSize = dense.shape.hiddenSize
        }
        return SearchSpace(
            dense: whole,
            costs: LoadableCosts(
                TableCosts(table, formats: usableFormats(table)), for: options.runtime))
    }

    /// Refuses targets that no plan reaches.
    ///
    /// - Throws: `SearchError.unreachable` for the first such target.
    func check(reaches targets: [Double], _ table: LatencyTable) throws(SearchError) {
        let minimum = table.interplay.seconds(ofSum: space(table).minimumSeconds)
        let maximum = table.dense.seconds / minimum
        for target in targets where target > maximum {
            throw .unreachable(target: target, maximum: maximum)
        }
    }

    /// Returns the steps of the search, from the dense model to the smallest model, with their losses
    /// corrected by a check.
    func searchSteps(
        of method: PruningMethod, _ table: LatencyTable,
        _ calibrationResults: PruningMethod.CalibrationResults, _ check: LossCheck?
    ) -> [SearchStep]? {
        let whole = table.predict(Plan(keepingAllOf: reference.shape))
        return method.path(in: space(table), using: calibrationResults)?.map {
            SearchStep(
                speedup: whole / table.interplay.seconds(ofSum: $0.seconds),
                loss: check?.corrected($0.loss) ?? $0.loss)
        }
    }

    /// Finds the plan that reaches a target, using the correction that another target needed.
    private func choose(
        _ target: Double, _ name: String, by method: PruningMethod, after other: Choice?,
        _ table: LatencyTable, _ surgery: Surgery,
        _ calibrationResults: PruningMethod.CalibrationResults,
        _ text: CalibrationText, attempts: Int? = nil
    ) throws -> Choice {
        let product = Product.choice(name)
        if attempts == nil, let known = directory.read(Choice.self, product) { return known }
        let choice = try stage("target \(name)") {
            let space = space(table)
            func weights(_ plan: Plan) -> ShrunkWeights {
                ShrunkWeights(
                    plan, losses: calibrationResults.losses, surgery: surgery,
                    order: method.order(seed: options.seed))
            }
            var loop = ClosedLoop(target: target, attempts: attempts ?? options.attempts)
            if let other, options.attempts > 1 {
                loop.correction = other.attempt.predicted / other.attempt.comparison.speedup
                if attempts != nil { loop.excluded = [other.attempt.plan] }
            }
            var calibrationResults = calibrationResults
            let budget = table.interplay.sum(
                ofSeconds: table.budget(forSpeedup: target * (1 + loop.margin)))
            if method == .spdy {
                calibrationResults.coefficients = try coefficients(
                    for: name, in: space, within: budget,
                    losses: calibrationResults.losses, on: text, weights: weights)
            }
            var trials = attempts == nil ? [] : other?.trials ?? []
            let (best, _) = try loop.run(table) { budget in
                withTable(
                    try method.plan(
                        within: budget, in: space, using: calibrationResults, seed: options.seed),
                    formats: usableFormats(table))
            } measure: { plan in
                if let otherRuntime {
                    var watch = try otherRuntime.stopwatch(against: reference)
                    let weights = weights(plan)
                    let files = try otherRuntime.emit(
                        weights, like: dense.checkpoint, channels: weights.channels)
                    return try compare(files, with: &watch, table, until: loop.isDecided)
                }
                let model = try pack(weights(plan), name: name)
                var watch = try Workload(
                    environment, model: try baseline(), engine: timingEngine)
                return try compare(model, with: &watch, table, until: loop.isDecided)
            } report: { attempt in
                trials.append(
                    TargetResult.Trial(
                        predicted: attempt.predicted, measured: attempt.comparison.speedup))
                progress.remark(
                    "\(name): predicted \(Figures.ratio(attempt.predicted)), measured "
                        + Figures.ratio(attempt.comparison.speedup))
            }
            return Choice(attempt: best, trials: trials)
        }
        try directory.write(choice, product)
        return choice
    }

    /// Returns an encoder's plan with its token embedding in 8 bits, if it has components in integers.
    ///
    /// The format of the embedding does not change the speed, but it is most of the bytes of a small
    /// encoder, and its rounding error is far below that of a component in 8 bits.
    private func withTable(_ plan: Plan, formats: [Precision]) -> Plan {
        guard dense.shape.architecture.isEncoder, formats.contains(.int8),
            plan.components.contains(where: { plan[$0].format?.isInteger == true })
        else { return plan }
        var plan = plan
        plan.headFormat = .int8
        return plan
    }

    /// Evaluates and writes the model of a plan; returns nil if it loses more quality than allowed.
    private func finish(
        _ choice: Choice, _ target: Double, _ name: String, _ weights: ShrunkWeights,
        on text: CalibrationText, limit: Double?
    ) throws -> TargetResult? {
        let (quality, second, texts, weightBytes) = try stage("evaluate") {
            try measureQuality(try pack(weights, name: name), of: weights.channels, on: text)
        }
        if let found = QualityLimitError(
            of: quality, against: try evaluateDense(on: text), at: target, limit: limit)
        {
            refusal = found
            return nil
        }
        try stage("write") {
            if isLarge { releaseModels() }
            try progress.stage("Writing \(options.output)/\(name)") {
                let formatted = formatted(weights)
                let hasFormats = formatted.formats.uniform != environment.precision
                let source: any WeightSource = hasFormats ? formatted : weights
                let formats = hasFormats ? formatted.formats : nil
                try HuggingFaceDirectory.write(
                    source, like: dense.checkpoint, channels: weights.channels,
                    to: directory.product(name), formats: formats, progress: progress.check)
                guard options.runtime == .gguf else { return }
                try GGUFModel.write(
                    source, like: dense.checkpoint, to: directory.product(name) + "/model.gguf",
                    storage: hasFormats ? .f32 : GGUFModel.Storage(environment.precision),
                    formats: formats, progress: progress.check)
            }
        }
        var result = TargetResult(
            target: target, attempt: choice.attempt, attempts: choice.trials.count,
            path: directory.product(name), weights: weights, quality: quality)
        result.second = second
        result.weightBytes = weightBytes
        result.continuations = texts
        result.trials = choice.trials
        var plans = directory.read([String: Plan].self, Product.plans) ?? [:]
        plans[name] = Plan(result)
        try directory.write(plans, Product.plans)
        try directory.write(result, "work/\(name).json")
        return result
    }

    /// Whether the remaining weights are refitted when a method's plan is final.
    private func refits(_ method: PruningMethod) -> Bool {
        options.refitTokens > 0 && !isLarge
            && (method == options.method || method.isSensitive)
            && method.order(seed: options.seed).correction == .leastSquares
    }

    /// Returns the same plans, with weights that are refitted on the activations of the pruned
    /// models.
    private func refit(
        _ family: [ShrunkWeights], on text: CalibrationText
    ) throws -> [ShrunkWeights] {
        guard !family.isEmpty else { return [] }
        releaseModels()
        return try stage("refit") {
            let sequences = text.spread(tokens: options.refitTokens)
            return try progress.counting(
                "Refitting", total: dense.shape.components.count, unit: "components"
            ) { advance in
                try family.refitted(
                    on: batches(of: sequences, tokens: 2048),
                    passes: options.refitPasses(for: dense.shape.architecture),
                    format: options.rounding == .gptq ? environment.precision : nil,
                    engine: engine,
                    progress: advance)
            }
        }
    }

    private func compare<Watch: Stopwatch>(
        _ model: Watch.Subject, with watch: inout Watch, _ table: LatencyTable,
        until isDecided: (Double, ClosedRange<Double>) -> Bool
    ) throws -> Comparison {
        let comparison = try Comparison(
            model, with: &watch, timeLimit: measuringSeconds, timeFactor: 3,
            quietDense: quietDense(table), isEnough: isDecided,
            tick: progress.check)
        try keep(dense: comparison.dense.seconds)
        return comparison
    }

    /// Returns the coefficients that SPDY finds for a target, by the loss on calibration text.
    private func coefficients(
        for name: String, in space: SearchSpace, within budget: Double, losses: LossTable,
        on text: CalibrationText, weights: (Plan) -> ShrunkWeights
    ) throws -> [Double] {
        let product = "work/\(name)-coefficients.json"
        if let known = directory.read([Double].self, product) { return known }
        var search = SPDYSearch(space.problem(priors: losses))
        search.starts = max(1, options.trials / 11)
        search.steps = options.trials - search.starts
        let divergence =
            try dense.shape.architecture.isEncoder
            ? ModelDivergence(
                from: denseModel(), on: text.probe(for: dense.shape.architecture), engine: engine)
            : nil
        // Successive plans have most layers in common.
        var latest = try denseModel(in: environment.precision)
        let found = try progress.counting(
            "Searching for \(name)", total: options.trials, unit: "plans"
        ) { advance in
            try search.coefficients(within: budget, seed: options.seed) { choice in
                var model = latest
                let weights = weights(space.plan(choice))
                for layer in model.shape.layers.indices
                where model.shape.layers[layer] != weights.shape.layers[layer] {
                    model = try model.replacing(layer: layer, of: weights)
                }
                latest = model
                if let divergence { return divergence.of(model) }
                do {
                    return try DecoderQuality(
                        of: model, against: nil, on: text.spread(tokens: 4096), engine: engine,
                        progress: progress.check
                    ).meanNLL
                } catch is NonFiniteError {
                    return .infinity
                }
            } progress: {
                try advance($0)
            }
        }
        try directory.write(found, product)
        return found
    }

    /// Returns the weights of a plan, each rounded to its format.
    private func formatted(_ weights: ShrunkWeights) -> FormattedWeights<ShrunkWeights> {
        FormattedWeights(
            weights, formats: Formats(of: weights.plan, otherwise: environment.precision))
    }

    /// Packs the model of a plan; parts without a format of their own have the environment's.
    func pack(_ weights: ShrunkWeights, name: String) throws -> Model {
        // The working memory of the surgery and two large models would not fit in memory together.
        if isLarge { releaseModels() }
        defer { if isLarge { weights.releaseWorkingMemory() } }
        return try progress.counting(
            "Shrinking to \(name)", total: weights.shape.layers.count, unit: "layers"
        ) { advance in
            let formatted = formatted(weights)
            return try Model(formatted, formats: formatted.formats, progress: advance)
        }
    }
}

extension QualityFigures {
    /// Describes the perplexity and the dense model's perplexity, or the cosine distance.
    fileprivate func summary(against dense: QualityFigures) -> String {
        if let perplexity, let before = dense.perplexity {
            return "perplexity \(Figures.significant(perplexity, digits: 4)) (dense "
                + "\(Figures.significant(before, digits: 4)))."
        }
        return "cosine distance \(Figures.significant(meanCosineDistance ?? 0, digits: 3))."
    }
}
