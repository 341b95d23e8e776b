internal import ModelFiles
internal import Profiling
internal import Pruning
internal import Reporting
internal import Tensors
internal import Transformers

/// The stages that measure what the search needs: profile, second moments, losses, sensitivities.
extension PruneRun {
    func profile() throws -> LatencyTable {
        if directory.has(Product.profile) {
            return try existingProfile(directory.product(Product.profile))
        }
        let table = try stage("profile") {
            try options.profile.map(givenProfile)
                ?? Profiler.profile(
                    reference.shape, of: reference.location, in: environment,
                    seconds: options.seconds ?? Profiler().timeLimit, seed: options.seed,
                    formats: isLarge ? [] : formats, progress: progress)
        }
        try AtomicFile.write(try table.json(), to: directory.product(Product.profile))
        return table
    }

    private func existingProfile(_ path: String) throws -> LatencyTable {
        try LatencyTable(contentsOf: path, of: reference, in: environment)
    }

    private func givenProfile(_ path: String) throws -> LatencyTable {
        let table = try existingProfile(path)
        if table.environment.machine != environment.machine {
            progress.remark(
                "\(path) is of another machine (\(table.environment.machine)). Measurements on this "
                    + "machine correct its predictions; --attempts 1 disables the corrections.")
        }
        return table
    }

    /// Returns the given text, or if there is none, a text that the decoder generates.
    func calibrationText() throws -> CalibrationText {
        if let givenText { return givenText }
        let count = max(8, options.calibrationTokens / 2048)
        let length = min(512, dense.shape.maximumPositions)
        if let known = directory.read([[Int32]].self, Product.sampled) {
            return CalibrationText(sampled: known)
        }
        progress.remark(
            "No --calibration text: calibrating on \(count * length) tokens that the model "
                + "generates. A text like your inputs is better.")
        let tokenizer = try dense.checkpoint.tokenizer()
        let sampled = try stage("sample") {
            try progress.counting(
                "Sampling text", total: count * length, unit: "tokens"
            ) { advance in
                let first = tokenizer.beginningOfText ?? tokenizer.endOfText ?? 0
                return try SampledText.sequences(
                    from: try baseline(), on: engine,
                    continuing: [[Int32]](repeating: [first], count: count), length: length,
                    seed: options.seed, progress: advance)
            }
        }
        try directory.write(sampled, Product.sampled)
        return CalibrationText(sampled: sampled)
    }

    func calibrate(on text: CalibrationText) throws -> CalibrationFacts {
        if directory.has(Product.moments),
            let facts = directory.read(CalibrationFacts.self, Product.facts)
        {
            return facts
        }
        let facts = try stage("calibrate") {
            try progress.counting(
                "Calibrating", total: dense.shape.layers.count, unit: "layers"
            ) { advance in
                let calibration = try Calibration(
                    dense.checkpoint, on: batches(of: text.calibration, tokens: 2048),
                    engine: engine)
                try CalibrationFile.write(
                    calibration, to: directory.product(Product.moments)
                ) { try advance(Int($0)) }
                return CalibrationFacts(
                    tokens: calibration.tokens, blockInfluence: calibration.blockInfluence,
                    streamSquares: calibration.streamSquares,
                    channelNorms: calibration.channelNorms)
            }
        }
        try directory.write(facts, Product.facts)
        return facts
    }

    /// Returns the removal order and the errors of every component.
    func losses(of method: PruningMethod, _ surgery: Surgery) throws -> LossTable {
        let order = method.order(seed: options.seed)
        let product =
            order == options.method.order(seed: options.seed)
            ? Product.losses : "work/\(method.rawValue)-losses.json"
        if let known = directory.read(LossTable.self, product) { return known }
        let losses = try stage("surgeon") {
            try progress.counting(
                "Ordering removals", total: dense.shape.components.count, unit: "components"
            ) { advance in try surgery.losses(order: order, progress: advance) }
        }
        try directory.write(losses, product)
        return losses
    }

    /// The formats of the profile that the search may use.
    func usableFormats(_ table: LatencyTable) -> [Precision] {
        isLarge ? [] : formats.filter { table.otherFormats[$0] != nil }
    }

    /// Measures the divergence of each component in each format; empty for methods without formats.
    func formatDamage(
        of method: PruningMethod, _ table: LatencyTable, _ surgery: Surgery,
        on text: CalibrationText
    ) throws -> FormatDamage {
        let formats = usableFormats(table)
        guard method.usesFormats, !formats.isEmpty else { return FormatDamage() }
        if let known = directory.read(FormatDamage.self, Product.formatDamage) { return known }
        let damage = try stage("formats") {
            var heads: [Precision: Model] = [:]
            for format in formats where table.heads[format] != nil {
                let weight =
                    try surgery.roundedHeads[format]?.values
                    ?? Int4Matrix(rounding: denseHead(), by: .leastSquares).floats
                heads[format] = try denseModel(in: environment.precision)
                    .replacingHead(by: weight, in: format)
            }
            let total = FormatDamage.count(
                of: dense.shape, formats: formats, heads: Array(heads.keys))
            var models: [Precision: Model] = [:]
            for format in [environment.precision] + formats {
                models[format] = try denseModel(in: format)
            }
            return try progress.counting(
                "Measuring formats", total: total, unit: "models"
            ) { advance in
                try FormatDamage(
                    of: models, heads: heads,
                    divergence: ModelDivergence(
                        from: try denseModel(in: environment.precision),
                        on: text.probe(for: dense.shape.architecture), engine: engine),
                    progress: advance)
            }
        }
        try directory.write(damage, Product.formatDamage)
        return damage
    }

    /// Returns the sensitivities of the components, or none for a method that does not use them.
    func sensitivity(
        of method: PruningMethod, _ losses: LossTable, _ surgery: Surgery,
        _ facts: CalibrationFacts, on text: CalibrationText
    ) throws -> Sensitivity {
        guard method.needsSensitivity else { return Sensitivity([:]) }
        if isLarge {
            progress.remark(
                "The model is large: sensitivities are estimated from the error of each component, "
                    + "not measured.")
            return Sensitivity(losses, streamSquares: facts.streamSquares)
        }
        if let known = directory.read(Sensitivity.self, Product.sensitivity) { return known }
        let sensitivity = try stage("sensitivity") {
            try progress.counting(
                "Measuring sensitivity", total: losses.components.count, unit: "components"
            ) { advance in
                try Sensitivity(
                    losses: losses, surgery: surgery,
                    divergence: ModelDivergence(
                        from: try denseModel(), on: text.probe(for: dense.shape.architecture),
                        engine: engine), progress: advance)
            }
        }
        try directory.write(sensitivity, Product.sensitivity)
        return sensitivity
    }

    /// Compares the predicted losses of random plans with the divergences of their models; nil if no
    /// plans are to be checked.
    func checkLosses(
        of method: PruningMethod, _ table: LatencyTable, _ surgery: Surgery,
        _ calibrationResults: PruningMethod.CalibrationResults, on text: CalibrationText
    ) throws -> LossCheck? {
        if let known = directory.read(LossCheck.self, Product.lossCheck) { return known }
        let plans = method.randomPlans(
            options.checkedPlans, in: space(table), using: calibrationResults, seed: options.seed)
        guard !plans.isEmpty, !isLarge else { return nil }
        let check = try stage("check plans") {
            let divergence = ModelDivergence(
                from: try denseModel(in: environment.precision),
                on: text.probe(for: dense.shape.architecture), engine: engine)
            let entries = try plans.enumerated().map { index, random in
                let weights = ShrunkWeights(
                    random.plan, losses: calibrationResults.losses, surgery: surgery,
                    order: method.order(seed: options.seed))
                return LossCheck.Entry(
                    predicted: random.loss,
                    measured: divergence.of(try pack(weights, name: "plan \(index + 1)")))
            }
            return LossCheck(entries: entries)
        }
        progress.remark(
            "\(plans.count) random plans: the measured divergence is "
                + "\(Figures.significant(check.medianRatio, digits: 3)) times the predicted loss "
                + "in the median, and differs from it by a factor of at most "
                + "\(Figures.significant(check.worstFactor, digits: 3)), or of at most "
                + "\(Figures.significant(check.corrected.worstFactor, digits: 3)) after a correction."
        )
        try directory.write(check, Product.lossCheck)
        return check
    }
}

extension LatencyTable {
    /// Reads a profile that must match a model's sizes and an environment; the machine may differ.
    ///
    /// - Throws: `ProfileError` if the profile does not match.
    init(
        contentsOf path: String, of model: OpenedModel, in requested: InferenceEnvironment
    ) throws(ProfileError) {
        try self.init(contentsOf: path)
        do {
            try check(against: model.shape, named: model.location.name)
        } catch {
            var error = error
            error.file = path
            throw error
        }
        var known = environment
        if known.machine != requested.machine || known.instructionSet == nil {
            known.instructionSet = requested.instructionSet
        }
        known.machine = requested.machine
        guard known == requested else {
            throw ProfileError(
                file: path, field: "environment",
                problem: "it was made for \(known.summary), not for \(requested.summary)",
                remedy: "use the options of the profile, or leave out --profile")
        }
    }
}

/// The results of calibration, except for the second moments.
struct CalibrationFacts: Codable {
    let tokens: Int
    let blockInfluence: [Double]
    let streamSquares: [Double]
    let channelNorms: [Double]
}
